// Package metrics is every Prometheus metric of the program, behind verbs: a
// caller says what happened, and cannot choose a name or mint a series.
//
// It must not know HTTP, the queue or Polar, and imports nothing of ours. The
// names, labels and label values are a contract with dashboards and alerts:
// changing one is a breaking change.
package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say which label values exist.
type Options struct {
	// Providers are all known providers, the disabled ones too: the queue may
	// still hold deletions of a provider that was switched off. A name that is
	// not among them is counted as ProviderNone.
	Providers []string
	// Reconciled are those of them whose users are compared with Polar's
	// customers.
	Reconciled []string
	// LogLinesDropped is how many lines the log has lost so far; nil for none.
	LogLinesDropped func() uint64
	// Version, Revision and GoVersion describe the build.
	Version, Revision, GoVersion string
}

// Metrics are the program's metrics. Its methods are safe for concurrent use.
type Metrics struct {
	providers []string

	webhooks        *prometheus.CounterVec
	events          *prometheus.CounterVec
	webhookDuration *prometheus.HistogramVec

	finished *prometheus.CounterVec
	held     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	delay    *prometheus.HistogramVec
	verified *prometheus.CounterVec

	polarRequests *prometheus.HistogramVec
	slotWait      prometheus.Histogram

	deletions           *prometheus.GaugeVec
	oldestWaiting       prometheus.Gauge
	paused              *prometheus.GaugeVec
	guardsBlind         *prometheus.GaugeVec
	databaseSize        prometheus.Gauge
	databaseIntegrityOK prometheus.Gauge

	databaseMaintenanceFailures *prometheus.CounterVec

	reconciled        []string
	reconcileOrphans  *prometheus.GaugeVec
	reconcileSuccess  *prometheus.GaugeVec
	reconcileInterval prometheus.Gauge
}

// New registers all metrics at reg, every known series at 0. Like everything
// in client_golang it panics when reg has them already, which is a bug.
func New(reg prometheus.Registerer, o Options) *Metrics {
	m := &Metrics{providers: slices.Clone(o.Providers), reconciled: slices.Clone(o.Reconciled)}
	m.registerEdge(reg)
	m.registerDeletions(reg)
	m.registerPolar(reg)
	m.registerState(reg, o)
	m.registerReconcile(reg)
	m.zero()
	return m
}

// WebhookReceived counts one request to the public listener. The duration
// counts for known providers only: strangers must not move the latency.
func (m *Metrics) WebhookReceived(provider, outcome string, d time.Duration) {
	provider = m.provider(provider)
	if provider == ProviderNone {
		m.webhooks.WithLabelValues(provider, oneOf(unroutedOutcomes(), outcome, WebhookError)).Inc()
		return
	}
	m.webhooks.WithLabelValues(provider, oneOf(routedOutcomes(), outcome, WebhookError)).Inc()
	m.webhookDuration.WithLabelValues(provider).Observe(seconds(d))
}

// Events counts n events inside of webhooks.
func (m *Metrics) Events(provider, outcome string, n int) {
	outcome = oneOf(EventOutcomes(), outcome, "")
	if outcome == "" || n <= 0 {
		return
	}
	m.events.WithLabelValues(m.provider(provider), outcome).Add(float64(n))
}

// DeletionFinished counts a final outcome. The delay is the time since the
// deletion was accepted; that of a cancelled one is an operator's, not ours,
// and is not observed.
func (m *Metrics) DeletionFinished(provider, outcome string, delay time.Duration) {
	outcome = oneOf(DeletionOutcomes(), outcome, "")
	if outcome == "" {
		return
	}
	provider = m.provider(provider)
	m.finished.WithLabelValues(provider, outcome).Inc()
	if outcome != DeletionCancelled {
		m.delay.WithLabelValues(provider).Observe(seconds(delay))
	}
}

// DeletionHeld counts that a deletion was put in front of a human.
func (m *Metrics) DeletionHeld(provider, reason string) {
	reason = oneOf(HoldReasons(), reason, HoldUnexpected)
	m.held.WithLabelValues(m.provider(provider), reason).Inc()
}

// Attempt counts one try to carry out a deletion.
func (m *Metrics) Attempt(provider, result string) {
	result = oneOf(AttemptResults(), result, AttemptUnexpected)
	m.attempts.WithLabelValues(m.provider(provider), result).Inc()
}

// DeletionVerified counts what a look some time after a deletion came to.
func (m *Metrics) DeletionVerified(provider, verification string) {
	verification = oneOf(Verifications(), verification, VerificationError)
	m.verified.WithLabelValues(m.provider(provider), verification).Inc()
}

// PolarRequest counts and times one request to Polar. The code is the HTTP
// status in decimal, or CodeError when there was no answer.
func (m *Metrics) PolarRequest(operation, code string, d time.Duration) {
	operation = oneOf(PolarOperations(), operation, "")
	if operation == "" {
		return
	}
	m.polarRequests.WithLabelValues(operation, codeLabel(code)).Observe(seconds(d))
}

// SlotWait observes how long a worker waited for its turn at Polar.
func (m *Metrics) SlotWait(d time.Duration) { m.slotWait.Observe(seconds(d)) }

// SetDeletions states how many deletions are not done yet.
func (m *Metrics) SetDeletions(waiting, held int) {
	m.deletions.WithLabelValues(StateWaiting).Set(float64(waiting))
	m.deletions.WithLabelValues(StateHeld).Set(float64(held))
}

// SetOldestWaiting states when the oldest waiting deletion was accepted; the
// zero time says that none is waiting.
func (m *Metrics) SetOldestWaiting(t time.Time) {
	if t.IsZero() {
		m.oldestWaiting.Set(0)
		return
	}
	m.oldestWaiting.Set(float64(t.UnixMilli()) / 1000)
}

// SetPolarPaused states why all calls to Polar are paused; "" says that they
// are not. That an operator has paused is said by SetOperatorPaused.
func (m *Metrics) SetPolarPaused(reason string) {
	if reason != "" {
		reason = oneOf(PauseReasons(), reason, PauseUnexpected)
	}
	for _, r := range PauseReasons() {
		if r != PauseOperator {
			m.setPaused(r, r == reason)
		}
	}
}

// SetOperatorPaused states whether an operator has paused all deletions.
func (m *Metrics) SetOperatorPaused(paused bool) { m.setPaused(PauseOperator, paused) }

func (m *Metrics) setPaused(reason string, paused bool) {
	value := 0.0
	if paused {
		value = 1
	}
	m.paused.WithLabelValues(reason).Set(value)
}

// SetGuardsBlind states which guards see nothing, because Polar does not let
// customers be looked up.
func (m *Metrics) SetGuardsBlind(blind []string) {
	for _, guard := range Guards() {
		value := 0.0
		if slices.Contains(blind, guard) {
			value = 1
		}
		m.guardsBlind.WithLabelValues(guard).Set(value)
	}
}

// SetDatabaseSize states the size of the SQLite database.
func (m *Metrics) SetDatabaseSize(bytes int64) { m.databaseSize.Set(float64(bytes)) }

// SetDatabaseIntegrityOK states whether the last check of the SQLite database has read
// all of it and found no damage.
func (m *Metrics) SetDatabaseIntegrityOK(ok bool) {
	m.databaseIntegrityOK.Set(0)
	if ok {
		m.databaseIntegrityOK.Set(1)
	}
}

// DatabaseMaintenanceFailed counts maintenance of the SQLite database that failed.
func (m *Metrics) DatabaseMaintenanceFailed(what string) {
	m.databaseMaintenanceFailures.WithLabelValues(oneOf(Maintenances(), what, MaintenanceCheckpoint)).Inc()
}

func (m *Metrics) provider(name string) string { return oneOf(m.providers, name, ProviderNone) }

// seconds never is negative: a clock that was set back must not break a sum.
func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }
