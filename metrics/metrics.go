// Package metrics is every Prometheus metric of the program, behind verbs: a
// caller says what happened, and cannot choose a name or mint a series.
//
// It must not know HTTP or the queue; its labels are the domain's own types. The
// names, labels and label values are a contract with dashboards and alerts:
// changing one is a breaking change.
package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

// Options say which label values exist.
type Options struct {
	// Providers are all known providers, the disabled ones too: the queue may
	// still hold deletions of a provider that was switched off. A name that is
	// not among them is counted as ProviderNone.
	Providers []string
	// Enabled are those of them whose series exist from the start.
	Enabled []string
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
	providers, enabled, reconciled []string

	webhooks, events, gateway, finished, selftests, held, attempts, verified, orphans, searched, databaseMaintenanceFailures *prometheus.CounterVec

	webhookDuration, delay, polarRequests, rateLimitWait *prometheus.HistogramVec

	pending, oldestWaiting, paused, guardsBlind, databaseSize, databaseIntegrityOK *prometheus.GaugeVec

	polarCustomers, polarCustomersCounted *prometheus.GaugeVec

	reconcileOrphans, reconcileSuccess, reconcileInterval, outboxBlocked *prometheus.GaugeVec
}

// New registers all metrics at reg, every known series at 0. Like everything
// in client_golang it panics when reg has them already, which is a bug.
func New(reg prometheus.Registerer, o Options) *Metrics {
	m := &Metrics{providers: slices.Clone(o.Providers), enabled: slices.Clone(o.Enabled), reconciled: slices.Clone(o.Reconciled)}
	f := factory{promauto.With(reg)}
	m.registerWork(f)
	m.registerState(f, o)
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

// GatewaySignature counts what a gateway's signature was worth on an authentic webhook.
func (m *Metrics) GatewaySignature(check deletion.GatewayCheck) {
	if check = oneOf(deletion.GatewayChecks(), check, deletion.GatewayAbsent); check != deletion.GatewayAbsent {
		m.gateway.WithLabelValues(string(check)).Inc()
	}
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
func (m *Metrics) DeletionFinished(provider string, outcome deletion.Outcome, delay time.Duration) {
	if outcome = oneOf(deletion.Outcomes(), outcome, ""); outcome == "" {
		return
	}
	if provider == ProviderSelftest {
		m.selftests.WithLabelValues(string(outcome)).Inc()
		return
	}
	provider = m.provider(provider)
	m.finished.WithLabelValues(provider, string(outcome)).Inc()
	if outcome != deletion.OutcomeCancelled {
		m.delay.WithLabelValues(provider).Observe(seconds(delay))
	}
}

// DeletionHeld counts that a deletion was put in front of a human.
func (m *Metrics) DeletionHeld(provider string, reason deletion.HoldReason) {
	if provider == ProviderSelftest {
		return
	}
	reason = oneOf(deletion.HoldReasons(), reason, deletion.HoldUnexpected)
	m.held.WithLabelValues(m.provider(provider), string(reason)).Inc()
}

// Attempt counts one request about a deletion.
func (m *Metrics) Attempt(provider string, result polar.Result) {
	if provider == ProviderSelftest {
		return
	}
	result = oneOf(polar.Results(), result, polar.ResultUnexpected)
	m.attempts.WithLabelValues(m.provider(provider), string(result)).Inc()
}

// DeletionVerified counts what a lookup some time after a deletion came to.
func (m *Metrics) DeletionVerified(provider string, verification deletion.Verification) {
	if provider == ProviderSelftest {
		return
	}
	verification = oneOf(deletion.Verifications(), verification, deletion.VerificationError)
	m.verified.WithLabelValues(m.provider(provider), string(verification)).Inc()
}

// Searched counts a search by metadata that came to its end.
func (m *Metrics) Searched(result deletion.Search) {
	if result = oneOf(deletion.Searches(), result, ""); result != "" {
		m.searched.WithLabelValues(string(result)).Inc()
	}
}

// OrphanFound counts a deletion without a live job, or a job without its
// deletion.
func (m *Metrics) OrphanFound(kind OrphanKind) {
	if kind = oneOf(OrphanKinds(), kind, ""); kind != "" {
		m.orphans.WithLabelValues(string(kind)).Inc()
	}
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

// RateLimitWait observes how long a worker waited for a permit.
func (m *Metrics) RateLimitWait(d time.Duration) {
	m.rateLimitWait.WithLabelValues().Observe(seconds(d))
}

// SetPending states how many deletions are in a state that is not final.
func (m *Metrics) SetPending(state deletion.State, n int) {
	if state = oneOf(deletion.PendingStates(), state, ""); state != "" {
		m.pending.WithLabelValues(string(state)).Set(float64(n))
	}
}

// SetOldestWaiting states when the oldest waiting deletion was accepted; the
// zero time says that none is waiting.
func (m *Metrics) SetOldestWaiting(t time.Time) {
	m.oldestWaiting.WithLabelValues().Set(timestamp(t))
}

// SetPolarPaused states why all calls to Polar are paused; "" says that they
// are not. That an operator has paused is said by SetOperatorPaused.
func (m *Metrics) SetPolarPaused(reason deletion.WaitReason) {
	for _, r := range deletion.PauseReasons() {
		m.paused.WithLabelValues(string(r)).Set(oneIf(r == reason))
	}
}

// SetOperatorPaused states whether an operator has paused all deletions.
func (m *Metrics) SetOperatorPaused(paused bool) {
	m.paused.WithLabelValues(PauseOperator).Set(oneIf(paused))
}

// SetOtherOrganization states whether the database belongs to another Polar
// organization than this process.
func (m *Metrics) SetOtherOrganization(other bool) {
	m.paused.WithLabelValues(PauseOtherOrganization).Set(oneIf(other))
}

// SetGuardsBlind states which guards see nothing, because Polar does not let
// customers be looked up.
func (m *Metrics) SetGuardsBlind(blind []deletion.HoldReason) {
	for _, guard := range Guards() {
		m.guardsBlind.WithLabelValues(string(guard)).Set(oneIf(slices.Contains(blind, guard)))
	}
}

// SetDatabaseSize states the size of the SQLite database.
func (m *Metrics) SetDatabaseSize(bytes int64) {
	m.databaseSize.WithLabelValues().Set(float64(bytes))
}

// SetDatabaseIntegrityOK states whether the last check of the SQLite database has read
// all of it and found no damage.
func (m *Metrics) SetDatabaseIntegrityOK(ok bool) {
	m.databaseIntegrityOK.WithLabelValues().Set(oneIf(ok))
}

// DatabaseMaintenanceFailed counts maintenance of the SQLite database that failed.
func (m *Metrics) DatabaseMaintenanceFailed(what string) {
	m.databaseMaintenanceFailures.WithLabelValues(oneOf(Maintenances(), what, MaintenanceCheckpoint)).Inc()
}

// SetReconciled states what the last completed reconciliation with the provider's
// users found, and when it ended; the zero time says that there was none yet.
func (m *Metrics) SetReconciled(provider string, orphans int, finishedAt time.Time) {
	if !slices.Contains(m.reconciled, provider) {
		return
	}
	m.reconcileOrphans.WithLabelValues(provider).Set(float64(orphans))
	m.reconcileSuccess.WithLabelValues(provider).Set(timestamp(finishedAt))
}

// SetPolarCustomers states how many of Polar's customers that were counted last have an
// external id in which form, and when that was; the zero time says never.
func (m *Metrics) SetPolarCustomers(present, foreign, absent int, countedAt time.Time) {
	for form, n := range map[string]int{CustomersPresent: present, CustomersForeign: foreign, CustomersAbsent: absent} {
		m.polarCustomers.WithLabelValues(form).Set(float64(n))
	}
	m.polarCustomersCounted.WithLabelValues().Set(timestamp(countedAt))
}

// SetReconcileInterval states how often that happens.
func (m *Metrics) SetReconcileInterval(interval time.Duration) {
	m.reconcileInterval.WithLabelValues().Set(interval.Seconds())
}

// SetOutboxBlocked states why the outbox of the auth system's database is not read; ""
// says that it is.
func (m *Metrics) SetOutboxBlocked(problem OutboxProblem) {
	for _, p := range OutboxProblems() {
		m.outboxBlocked.WithLabelValues(string(p)).Set(oneIf(p == problem))
	}
}

func (m *Metrics) provider(name string) string { return oneOf(m.providers, name, ProviderNone) }

// seconds never is negative: a clock that was set back must not break a sum.
func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }

// timestamp is a time in seconds since 1970, 0 for the zero time.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
