package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

// sharedState ends the help of gauges which describe what all replicas share.
const sharedState = " All replicas report the same value: aggregate with max, never with sum."

// factory makes and registers metrics.
type factory struct{ promauto.Factory }

func (f factory) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts{Namespace: "polar_bridge", Name: name, Help: help}, labels)
}

func (f factory) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts{Namespace: "polar_bridge", Name: name, Help: help}, labels)
}

// histogram is dual: classic buckets for every Prometheus, with the bounds
// that service levels are about, and a native one for those which take it.
func (f factory) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return f.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "polar_bridge", Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

// registerWork registers what counts and times webhooks, deletions and requests.
func (m *Metrics) registerWork(f factory) {
	m.webhooks = f.counter("webhooks_total",
		"Webhook requests by what became of them; requests to unknown routes have the provider none.", "provider", "outcome")
	m.events = f.counter("events_total",
		"Events inside of authentic webhooks, and rows of the outbox, by what became of them; held ones are not counted as accepted.", "provider", "outcome")
	m.gateway = f.counter("gateway_signatures_total",
		"Authentic webhooks with a signature of WEBHOOK_GATEWAY: matched, needed because the provider's own was too old, or mismatched, by another secret, which refuses those that come late.", "result")
	// 0.5 s is what a webhook may take; Accept gives up after 2 s.
	m.webhookDuration = f.histogram("webhook_duration_seconds",
		"Time from a webhook request's headers to its answer.",
		[]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10}, "provider")

	m.finished = f.counter("deletions_total",
		"Deletions that came to their end, by outcome.", "provider", "outcome")
	m.selftests = f.counter("selftest_deletions_total",
		"Deletions of polar-bridge selftest that came to their end, by outcome. No other metric of deletions and events counts them.", "outcome")
	m.held = f.counter("deletions_held_total",
		"How often a deletion was held for a human, by reason.", "provider", "reason")
	m.attempts = f.counter("deletion_attempts_total",
		"Attempts to delete a customer at Polar, by result.", "provider", "result")
	// Up to 7 days, after which a failing deletion is held.
	m.delay = f.histogram("deletion_delay_seconds",
		"Time from accepting a deletion until it was done; cancelled ones are left out.",
		[]float64{0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 259200, 604800}, "provider")
	m.verified = f.counter("verifications_total",
		"Looks at Polar some time after a deletion, by what they came to: gone, found again, subscription_active when a subscription of the deleted customer is still active, or error when Polar could not be asked.", "provider", "outcome")
	m.searched = f.counter("metadata_searches_total",
		"Searches by POLAR_METADATA_KEY for customers without an external id, by what they came to; those that fail are tried again and not counted.", "result")
	m.orphans = f.counter("queue_orphans_total",
		"Deletions that no job would have carried out and that got a new one, and jobs whose deletion is not there.", "kind")

	m.polarRequests = f.histogram("polar_request_duration_seconds",
		"Time of requests to Polar by operation and status; the code error means that there was no answer.",
		[]float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}, "operation", "code")
	m.rateLimitWait = f.histogram("polar_rate_limit_wait_seconds",
		"Time that a worker waited for a permit to send requests to Polar.",
		[]float64{0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5})
	m.databaseMaintenanceFailures = f.counter("database_maintenance_failures_total",
		"How often the upkeep of the SQLite database failed, by what it was; none with Postgres.", "maintenance")
}

// registerState registers what is true now.
func (m *Metrics) registerState(f factory, o Options) {
	m.pending = f.gauge("deletions_pending",
		"Deletions that are not settled: waiting to be tried, held for a human, or reappeared: deleted, and found again."+sharedState, "state")
	m.oldestWaiting = f.gauge("oldest_waiting_timestamp_seconds",
		"When the oldest waiting deletion was accepted, in seconds since 1970; 0 when none is waiting."+sharedState)
	m.paused = f.gauge("polar_paused",
		"1 for the reason why all calls to Polar are paused, else 0."+sharedState, "reason")
	m.guardsBlind = f.gauge("guards_blind",
		"1 while the guard sees nothing, because Polar does not let customers be looked up; 0 again with the next look that works.", "guard")
	m.databaseSize = f.gauge("database_size_bytes",
		"Size of the SQLite database; 0 with Postgres.")
	m.databaseIntegrityOK = f.gauge("database_integrity_ok",
		"1 when the last check has read the whole SQLite database and found no damage, 0 until the first is done; 0 with Postgres.")

	m.reconcileOrphans = f.gauge("reconcile_orphans",
		"Customers at Polar whose user was gone at the last completed reconciliation, each older than an hour; no series without RECONCILE_INTERVAL."+sharedState, "provider")
	m.reconcileSuccess = f.gauge("reconcile_last_success_timestamp_seconds",
		"When the last completed reconciliation ended, in seconds since 1970; 0 when there was none yet, no series without RECONCILE_INTERVAL."+sharedState, "provider")
	m.reconcileInterval = f.gauge("reconcile_interval_seconds",
		"RECONCILE_INTERVAL; 0 when customers are not compared with users."+sharedState)

	m.polarCustomers = f.gauge("polar_customers",
		"Customers at Polar by their external id, of those counted last by doctor (a sample, unless --all) or reconcile: present in the form that users' ids have, foreign in another one, or absent. A deletion finds only the first."+sharedState, "external_id")
	m.polarCustomersCounted = f.gauge("polar_customers_counted_timestamp_seconds",
		"When they were counted, in seconds since 1970; 0 when nobody has yet."+sharedState)

	m.outboxBlocked = f.gauge("outbox_blocked",
		"1 for the reason why this process does not read the outbox of the auth system's database, else 0; no series without AUTH_DATABASE_OUTBOX.", "reason")

	f.gauge("build_info", "Always 1; the labels describe the running build.", "version", "revision", "goversion").
		WithLabelValues(o.Version, o.Revision, o.GoVersion).Set(1)
	dropped := o.LogLinesDropped
	if dropped == nil {
		dropped = func() uint64 { return 0 }
	}
	f.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "polar_bridge", Name: "log_lines_dropped_total",
		Help: "Log lines that were dropped because nobody read the log in time, or because it could not be written.",
	}, func() float64 { return float64(dropped()) })
}

// zero creates the known series of the enabled providers, so that an increase
// from nothing is seen and an alert can tell "never" from "not measured".
// Histograms come with what they observe.
func (m *Metrics) zero() {
	zero(m.webhooks, unroutedOutcomes(), ProviderNone)
	for _, p := range m.enabled {
		zero(m.webhooks, routedOutcomes(), p)
		zero(m.events, EventOutcomes(), p)
		zero(m.finished, deletion.Outcomes(), p)
		zero(m.held, deletion.HoldReasons(), p)
		zero(m.attempts, polar.Results(), p)
		zero(m.verified, deletion.Verifications(), p)
	}
	for _, p := range m.reconciled {
		m.SetReconciled(p, 0, time.Time{})
	}
	for _, state := range deletion.PendingStates() {
		m.SetPending(state, 0)
	}
	zero(m.selftests, deletion.Outcomes())
	zero(m.searched, deletion.Searches())
	zero(m.gateway, deletion.GatewayChecks())
	zero(m.orphans, OrphanKinds())
	zero(m.databaseMaintenanceFailures, Maintenances())
	m.rateLimitWait.WithLabelValues() // the only histogram without a label
	m.SetPolarPaused("")
	m.SetOperatorPaused(false)
	m.SetOtherOrganization(false)
	m.SetGuardsBlind(nil)
	m.SetOldestWaiting(time.Time{})
	m.SetDatabaseSize(0)
	m.SetDatabaseIntegrityOK(false)
	m.SetReconcileInterval(0)
	m.SetPolarCustomers(0, 0, 0, time.Time{})
}

func zero[T ~string](v *prometheus.CounterVec, values []T, provider ...string) {
	for _, value := range values {
		v.WithLabelValues(append(provider, string(value))...)
	}
}
