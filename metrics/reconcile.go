package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

func (m *Metrics) registerReconcile(reg prometheus.Registerer) {
	f := promauto.With(reg)
	m.reconcileOrphans = f.NewGaugeVec(gauge("reconcile_orphans",
		"Customers at Polar whose user was gone at the last completed reconciliation, each older than an hour; no series without RECONCILE_INTERVAL."+sharedState),
		[]string{labelProvider})
	m.reconcileSuccess = f.NewGaugeVec(gauge("reconcile_last_success_timestamp_seconds",
		"When the last completed reconciliation ended, in seconds since 1970; 0 when there was none yet, no series without RECONCILE_INTERVAL."+sharedState),
		[]string{labelProvider})
	m.reconcileInterval = f.NewGauge(gauge("reconcile_interval_seconds",
		"RECONCILE_INTERVAL; 0 when customers are not compared with users."+sharedState))
}

// SetReconciled states what the last completed reconciliation with the provider's
// users found, and when it ended; the zero time says that there was none yet.
func (m *Metrics) SetReconciled(provider string, orphans int, finishedAt time.Time) {
	if !slices.Contains(m.reconciled, provider) {
		return
	}
	m.reconcileOrphans.WithLabelValues(provider).Set(float64(orphans))
	seconds := 0.0
	if !finishedAt.IsZero() {
		seconds = float64(finishedAt.UnixMilli()) / 1000
	}
	m.reconcileSuccess.WithLabelValues(provider).Set(seconds)
}

// SetReconcileInterval states how often that happens.
func (m *Metrics) SetReconcileInterval(interval time.Duration) {
	m.reconcileInterval.Set(interval.Seconds())
}
