package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

const namespace = "polar_bridge"

// sharedState ends the help of gauges which describe what all replicas share.
const sharedState = " All replicas report the same value: aggregate with max, never with sum."

// Label names.
const (
	labelProvider    = "provider"
	labelOutcome     = "outcome"
	labelReason      = "reason"
	labelResult      = "result"
	labelState       = "state"
	labelKind        = "kind"
	labelOperation   = "operation"
	labelMaintenance = "maintenance"
	labelGuard       = "guard"
	labelCode        = "code"
)

func (m *Metrics) registerEdge(reg prometheus.Registerer) {
	f := promauto.With(reg)
	m.webhooks = f.NewCounterVec(counter("webhooks_total",
		"Webhook requests by what became of them; requests to unknown routes have the provider none."),
		[]string{labelProvider, labelOutcome})
	m.events = f.NewCounterVec(counter("events_total",
		"Events inside of authentic webhooks by what became of them; held ones are not counted as accepted."),
		[]string{labelProvider, labelOutcome})
	// 0.5 s is what a webhook may take; Accept gives up after 2 s.
	m.webhookDuration = f.NewHistogramVec(histogram("webhook_duration_seconds",
		"Time from a webhook request's headers to its answer.",
		[]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10}),
		[]string{labelProvider})
}

func (m *Metrics) registerDeletions(reg prometheus.Registerer) {
	f := promauto.With(reg)
	m.finished = f.NewCounterVec(counter("deletions_total",
		"Deletions that came to their end, by outcome."),
		[]string{labelProvider, labelOutcome})
	m.held = f.NewCounterVec(counter("deletions_held_total",
		"How often a deletion was held for a human, by reason."),
		[]string{labelProvider, labelReason})
	m.attempts = f.NewCounterVec(counter("deletion_attempts_total",
		"Attempts to delete a customer at Polar, by result."),
		[]string{labelProvider, labelResult})
	m.delay = f.NewHistogramVec(histogram("deletion_delay_seconds",
		"Time from accepting a deletion until it was done; cancelled ones are left out.",
		// Up to 7 days, after which a failing deletion is held.
		[]float64{0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 259200, 604800}),
		[]string{labelProvider})
	m.verified = f.NewCounterVec(counter("verifications_total",
		"Looks at Polar some time after a deletion, by what they came to: gone, found again, or error when Polar could not be asked."),
		[]string{labelProvider, labelOutcome})
}

func (m *Metrics) registerPolar(reg prometheus.Registerer) {
	f := promauto.With(reg)
	m.polarRequests = f.NewHistogramVec(histogram("polar_request_duration_seconds",
		"Time of requests to Polar by operation and status; the code error means that there was no answer.",
		[]float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}),
		[]string{labelOperation, labelCode})
	m.rateLimitWait = f.NewHistogram(histogram("polar_rate_limit_wait_seconds",
		"Time that a worker waited for a permit to send requests to Polar.",
		[]float64{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5}))
}

func (m *Metrics) registerState(reg prometheus.Registerer, o Options) {
	f := promauto.With(reg)
	m.pending = f.NewGaugeVec(gauge("deletions_pending",
		"Deletions that are not settled: waiting to be tried, held for a human, or reappeared: deleted, and found again."+sharedState),
		[]string{labelState})
	m.orphans = f.NewCounterVec(counter("queue_orphans_total",
		"Deletions that no job would have carried out and that got a new one, and jobs whose deletion is not there."),
		[]string{labelKind})
	m.oldestWaiting = f.NewGauge(gauge("oldest_waiting_timestamp_seconds",
		"When the oldest waiting deletion was accepted, in seconds since 1970; 0 when none is waiting."+sharedState))
	m.paused = f.NewGaugeVec(gauge("polar_paused",
		"1 for the reason why all calls to Polar are paused, else 0."+sharedState),
		[]string{labelReason})
	m.guardsBlind = f.NewGaugeVec(gauge("guards_blind",
		"1 while the guard sees nothing, because Polar does not let customers be looked up; 0 again with the next look that works."),
		[]string{labelGuard})
	m.databaseSize = f.NewGauge(gauge("database_size_bytes",
		"Size of the SQLite database; 0 with Postgres."))
	m.databaseIntegrityOK = f.NewGauge(gauge("database_integrity_ok",
		"1 when the last check has read the whole SQLite database and found no damage, 0 until the first is done; 0 with Postgres."))
	f.NewCounterFunc(counter("log_lines_dropped_total",
		"Log lines that were dropped because nobody read the log in time, or because it could not be written."),
		func() float64 {
			if o.LogLinesDropped == nil {
				return 0
			}
			return float64(o.LogLinesDropped())
		})

	m.databaseMaintenanceFailures = f.NewCounterVec(counter("database_maintenance_failures_total",
		"How often the upkeep of the SQLite database failed, by what it was; none with Postgres."),
		[]string{labelMaintenance})
	for _, what := range Maintenances() {
		m.databaseMaintenanceFailures.WithLabelValues(what)
	}

	build := gauge("build_info", "Always 1; the labels describe the running build.")
	build.ConstLabels = prometheus.Labels{"version": o.Version, "revision": o.Revision, "goversion": o.GoVersion}
	f.NewGauge(build).Set(1)
}

// zero creates the known series of the enabled providers, so that an increase
// from nothing is seen and an alert can tell "never" from "not measured".
// Histograms come with what they observe.
func (m *Metrics) zero() {
	for _, o := range unroutedOutcomes() {
		m.webhooks.WithLabelValues(ProviderNone, o)
	}
	for _, p := range m.enabled {
		zero(m.webhooks, p, routedOutcomes())
		zero(m.events, p, EventOutcomes())
		zero(m.finished, p, deletion.Outcomes())
		zero(m.held, p, deletion.HoldReasons())
		zero(m.attempts, p, polar.Results())
		zero(m.verified, p, deletion.Verifications())
	}
	for _, p := range m.reconciled {
		m.SetReconciled(p, 0, time.Time{})
	}
	for _, state := range deletion.PendingStates() {
		m.SetPending(state, 0)
	}
	for _, kind := range OrphanKinds() {
		m.orphans.WithLabelValues(string(kind))
	}
	m.SetPolarPaused("")
	m.SetOperatorPaused(false)
	m.SetGuardsBlind(nil)
}

func zero[T ~string](v *prometheus.CounterVec, provider string, values []T) {
	for _, value := range values {
		v.WithLabelValues(provider, string(value))
	}
}

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}
}

// histogram is dual: classic buckets for every Prometheus, with the bounds
// that service levels are about, and a native one for those which take it.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}
