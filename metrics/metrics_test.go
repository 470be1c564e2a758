package metrics_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

func newMetrics(t *testing.T) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg, metrics.Options{
		Providers: []string{"clerk", "auth0", "okta"}, Enabled: []string{"clerk", "auth0"}, Reconciled: []string{"clerk"},
		Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26",
	})
	return m, reg
}

// observeAll observes every histogram for every label value that there is.
func observeAll(m *metrics.Metrics) {
	for _, provider := range []string{"clerk", "auth0", "okta", metrics.ProviderNone} {
		m.WebhookReceived(provider, metrics.WebhookAccepted, time.Second)
		m.DeletionFinished(provider, deletion.OutcomeDeleted, time.Second)
	}
	for _, operation := range metrics.PolarOperations() {
		for _, code := range metrics.PolarCodes() {
			m.PolarRequest(operation, code, time.Second)
		}
	}
	m.RateLimitWait(time.Second)
}

// series returns every series as name{label="value",…} and its value: that of
// a histogram is how often it was observed.
func series(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	require.NoError(t, err)
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// changed returns the series which are not 0, apart from the build's.
func changed(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	all := series(t, g)
	for name, value := range all {
		if value == 0 || strings.HasPrefix(name, "polar_bridge_build_info") {
			delete(all, name)
		}
	}
	return all
}

func TestLintIsClean(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	observeAll(m)
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// The names, types and labels are a contract with dashboards and alerts.
func TestNamesAndLabels(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	observeAll(m)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := make([]string, 0, len(families))
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got = append(got, fmt.Sprintf("%s %s{%s}", strings.ToLower(f.GetType().String()), f.GetName(), strings.Join(labels, ",")))
	}
	require.Equal(t, []string{
		"gauge polar_bridge_build_info{goversion,revision,version}",
		"gauge polar_bridge_database_integrity_ok{}",
		"counter polar_bridge_database_maintenance_failures_total{maintenance}",
		"gauge polar_bridge_database_size_bytes{}",
		"counter polar_bridge_deletion_attempts_total{provider,result}",
		"histogram polar_bridge_deletion_delay_seconds{provider}",
		"counter polar_bridge_deletions_held_total{provider,reason}",
		"gauge polar_bridge_deletions_pending{state}",
		"counter polar_bridge_deletions_total{outcome,provider}",
		"counter polar_bridge_events_total{outcome,provider}",
		"counter polar_bridge_gateway_signatures_total{result}",
		"gauge polar_bridge_guards_blind{guard}",
		"counter polar_bridge_log_lines_dropped_total{}",
		"counter polar_bridge_metadata_searches_total{result}",
		"gauge polar_bridge_oldest_waiting_timestamp_seconds{}",
		"gauge polar_bridge_polar_customers{external_id}",
		"gauge polar_bridge_polar_customers_counted_timestamp_seconds{}",
		"gauge polar_bridge_polar_paused{reason}",
		"histogram polar_bridge_polar_rate_limit_wait_seconds{}",
		"histogram polar_bridge_polar_request_duration_seconds{code,operation}",
		"counter polar_bridge_queue_orphans_total{kind}",
		"gauge polar_bridge_reconcile_interval_seconds{}",
		"gauge polar_bridge_reconcile_last_success_timestamp_seconds{provider}",
		"gauge polar_bridge_reconcile_orphans{provider}",
		"counter polar_bridge_selftest_deletions_total{outcome}",
		"counter polar_bridge_verifications_total{outcome,provider}",
		"histogram polar_bridge_webhook_duration_seconds{provider}",
		"counter polar_bridge_webhooks_total{outcome,provider}",
	}, got)
}

func TestGaugesOfSharedStateSayHowToAggregate(t *testing.T) {
	t.Parallel()
	_, reg := newMetrics(t)
	families, err := reg.Gather()
	require.NoError(t, err)
	shared := []string{
		"polar_bridge_deletions_pending", "polar_bridge_oldest_waiting_timestamp_seconds", "polar_bridge_polar_paused",
		"polar_bridge_reconcile_interval_seconds", "polar_bridge_reconcile_last_success_timestamp_seconds", "polar_bridge_reconcile_orphans",
		"polar_bridge_polar_customers", "polar_bridge_polar_customers_counted_timestamp_seconds",
	}
	for _, f := range families {
		require.Equal(t, slices.Contains(shared, f.GetName()), strings.Contains(f.GetHelp(), "aggregate with max"), f.GetName())
	}
}

func TestKnownSeriesOfEnabledProvidersExistFromTheStart(t *testing.T) {
	t.Parallel()
	_, reg := newMetrics(t)
	got := series(t, reg)
	require.Equal(t, map[string]float64{}, changed(t, reg))

	want := []string{
		`polar_bridge_webhooks_total{outcome="not_found",provider="none"}`,
		`polar_bridge_webhooks_total{outcome="error",provider="none"}`,
		`polar_bridge_database_size_bytes{}`,
		`polar_bridge_database_integrity_ok{}`,
		`polar_bridge_database_maintenance_failures_total{maintenance="checkpoint"}`,
		`polar_bridge_database_maintenance_failures_total{maintenance="integrity_check"}`,
		`polar_bridge_log_lines_dropped_total{}`,
		`polar_bridge_oldest_waiting_timestamp_seconds{}`,
		`polar_bridge_polar_rate_limit_wait_seconds{}`,
		`polar_bridge_polar_customers{external_id="present"}`,
		`polar_bridge_polar_customers{external_id="foreign"}`,
		`polar_bridge_polar_customers{external_id="absent"}`,
		`polar_bridge_polar_customers_counted_timestamp_seconds{}`,
		`polar_bridge_gateway_signatures_total{result="matched"}`,
		`polar_bridge_gateway_signatures_total{result="needed"}`,
		`polar_bridge_gateway_signatures_total{result="mismatched"}`,
		`polar_bridge_queue_orphans_total{kind="deletion"}`,
		`polar_bridge_queue_orphans_total{kind="job"}`,
		`polar_bridge_reconcile_interval_seconds{}`,
		`polar_bridge_reconcile_last_success_timestamp_seconds{provider="clerk"}`,
		`polar_bridge_reconcile_orphans{provider="clerk"}`,
		`polar_bridge_build_info{goversion="go1.26",revision="abc",version="v1.2.3"}`,
	}
	for _, p := range []string{"clerk", "auth0"} {
		for o := range strings.FieldsSeq("accepted duplicate ignored unauthenticated malformed too_large unsupported unavailable error") {
			want = append(want, fmt.Sprintf(`polar_bridge_webhooks_total{outcome=%q,provider=%q}`, o, p))
		}
		for o := range strings.FieldsSeq("accepted duplicate ignored held other_instance") {
			want = append(want, fmt.Sprintf(`polar_bridge_events_total{outcome=%q,provider=%q}`, o, p))
		}
		for o := range strings.FieldsSeq("deleted not_found dry_run cancelled") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletions_total{outcome=%q,provider=%q}`, o, p))
		}
		for r := range strings.FieldsSeq("unusable_id unaddressable rejected unexpected exhausted forbidden team recreated mass_deletion user_exists conflict other_instance found_by_metadata ambiguous_metadata") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletions_held_total{provider=%q,reason=%q}`, p, r))
		}
		for r := range strings.FieldsSeq("deleted not_found rate_limited unauthorized forbidden rejected server_error network_error unexpected") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletion_attempts_total{provider=%q,result=%q}`, p, r))
		}
		for o := range strings.FieldsSeq("gone found subscription_active error") {
			want = append(want, fmt.Sprintf(`polar_bridge_verifications_total{outcome=%q,provider=%q}`, o, p))
		}
	}
	for o := range strings.FieldsSeq("deleted not_found dry_run cancelled") {
		want = append(want, fmt.Sprintf(`polar_bridge_selftest_deletions_total{outcome=%q}`, o))
	}
	for state := range strings.FieldsSeq("waiting held reappeared") {
		want = append(want, fmt.Sprintf(`polar_bridge_deletions_pending{state=%q}`, state))
	}
	for r := range strings.FieldsSeq("rate_limited unauthorized unexpected outage operator other_organization") {
		want = append(want, fmt.Sprintf(`polar_bridge_polar_paused{reason=%q}`, r))
	}
	for r := range strings.FieldsSeq("nobody customers subscriptions orders ambiguous filter_ignored unsearchable") {
		want = append(want, fmt.Sprintf(`polar_bridge_metadata_searches_total{result=%q}`, r))
	}
	for g := range strings.FieldsSeq("team recreated") {
		want = append(want, fmt.Sprintf(`polar_bridge_guards_blind{guard=%q}`, g))
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(got)), "and no others")
}

// Series cost money: 2,071 for one provider were too many.
func TestOneProviderHasFewSeries(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	metrics.New(reg, metrics.Options{Providers: []string{"clerk", "auth0", "okta"}, Enabled: []string{"clerk"}, Reconciled: []string{"clerk"}})
	require.Less(t, len(series(t, reg)), 100)
}

func TestADeletionOfAProviderThatIsSwitchedOffIsCounted(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	m.DeletionFinished("okta", deletion.OutcomeDeleted, time.Second)
	require.Equal(t, map[string]float64{
		`polar_bridge_deletions_total{outcome="deleted",provider="okta"}`: 1,
		`polar_bridge_deletion_delay_seconds{provider="okta"}`:            1,
	}, changed(t, reg))
}

// Service levels are about these bounds; a histogram knows shares only at them.
func TestHistogramsHaveTheBoundsThatMatter(t *testing.T) {
	t.Parallel()
	want := map[string][]float64{
		"polar_bridge_webhook_duration_seconds":       {0.1, 0.25, 0.5, 1, 2},
		"polar_bridge_deletion_delay_seconds":         {0.1, 60, 3600, 86400, 604800},
		"polar_bridge_polar_request_duration_seconds": {1, 5, 10},
		"polar_bridge_polar_rate_limit_wait_seconds":  {0.1, 1, 5},
	}
	m, reg := newMetrics(t)
	observeAll(m)
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		bounds, ok := want[f.GetName()]
		if !ok {
			continue
		}
		delete(want, f.GetName())
		native := false
		for _, metric := range f.GetMetric() {
			var got []float64
			for _, b := range metric.GetHistogram().GetBucket() {
				got = append(got, b.GetUpperBound())
			}
			require.Subset(t, got, bounds, f.GetName())
			native = native || len(metric.GetHistogram().GetPositiveSpan()) > 0
		}
		require.True(t, native, "%s has native buckets as well", f.GetName())
	}
	require.Empty(t, want)
}

func TestCallersCannotMintSeries(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	observeAll(m)
	everySeries(m)
	before := len(series(t, reg))
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string { return fmt.Sprintf("x%d", rnd.Uint64()) }
	for range 10_000 {
		m.WebhookReceived(word(), word(), time.Second)
		m.WebhookReceived("clerk", word(), time.Second)
		m.Events(word(), word(), 1)
		m.Events(word(), metrics.EventHeld, 1)
		m.DeletionFinished(word(), deletion.Outcome(word()), time.Second)
		m.DeletionFinished(word(), deletion.OutcomeDeleted, time.Second)
		m.DeletionHeld(word(), deletion.HoldReason(word()))
		m.Attempt(word(), polar.Result(word()))
		m.DeletionVerified(word(), deletion.Verification(word()))
		m.OrphanFound(metrics.OrphanKind(word()))
		m.SetPending(deletion.State(word()), 1)
		m.PolarRequest(word(), word(), time.Second)
		m.PolarRequest(polar.OperationProbe, fmt.Sprint(rnd.IntN(1200)-100), time.Second)
		m.SetPolarPaused(deletion.WaitReason(word()))
		m.SetGuardsBlind([]deletion.HoldReason{deletion.HoldReason(word())})
		m.SetReconciled(word(), 1, time.Now())
		m.SetOutboxBlocked(metrics.OutboxProblem(word()))
	}
	after := len(series(t, reg))
	require.Equal(t, before, after) // require.Len would print all of them
}

// everySeries makes every counter that a caller may make.
func everySeries(m *metrics.Metrics) {
	for _, provider := range []string{"clerk", "auth0", "okta", metrics.ProviderNone} {
		for _, outcome := range metrics.WebhookOutcomes() {
			m.WebhookReceived(provider, outcome, time.Second)
		}
		for _, outcome := range metrics.EventOutcomes() {
			m.Events(provider, outcome, 1)
		}
		for _, outcome := range deletion.Outcomes() {
			m.DeletionFinished(provider, outcome, time.Second)
		}
		for _, reason := range deletion.HoldReasons() {
			m.DeletionHeld(provider, reason)
		}
		for _, result := range polar.Results() {
			m.Attempt(provider, result)
		}
		for _, verification := range deletion.Verifications() {
			m.DeletionVerified(provider, verification)
		}
	}
	m.SetOutboxBlocked("")
}

func TestWhatAReconciliationFoundIsStatedForThoseThatAreReconciled(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	require.Contains(t, series(t, reg), `polar_bridge_reconcile_orphans{provider="clerk"}`)
	m.SetReconcileInterval(time.Hour)
	m.SetReconciled("clerk", 3, time.Unix(1700000000, 0))
	m.SetReconciled("auth0", 9, time.Unix(1700000000, 0))
	require.Equal(t, map[string]float64{
		`polar_bridge_reconcile_interval_seconds{}`:                               3600,
		`polar_bridge_reconcile_orphans{provider="clerk"}`:                        3,
		`polar_bridge_reconcile_last_success_timestamp_seconds{provider="clerk"}`: 1700000000,
	}, changed(t, reg))
}

func TestHowManyCustomersCanBeFoundIsStated(t *testing.T) {
	t.Parallel()
	m, reg := newMetrics(t)
	m.SetPolarCustomers(7000, 1, 3000, time.Unix(1700000000, 0))
	require.Equal(t, map[string]float64{
		`polar_bridge_polar_customers{external_id="present"}`:      7000,
		`polar_bridge_polar_customers{external_id="foreign"}`:      1,
		`polar_bridge_polar_customers{external_id="absent"}`:       3000,
		`polar_bridge_polar_customers_counted_timestamp_seconds{}`: 1700000000,
	}, changed(t, reg))
}
