package metrics_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/metrics"
)

func newMetrics(t *testing.T) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	m := metrics.New(reg, metrics.Options{
		Providers: []string{"clerk", "auth0"}, Reconciled: []string{"clerk"}, Version: "v1.2.3", Revision: "abc", GoVersion: "go1.26",
	})
	return m, reg
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
	_, reg := newMetrics(t)
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// The names, types and labels are a contract with dashboards and alerts.
func TestNamesAndLabels(t *testing.T) {
	t.Parallel()
	_, reg := newMetrics(t)
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
		"gauge polar_bridge_deletions{state}",
		"counter polar_bridge_deletions_held_total{provider,reason}",
		"counter polar_bridge_deletions_total{outcome,provider}",
		"counter polar_bridge_events_total{outcome,provider}",
		"gauge polar_bridge_guards_blind{guard}",
		"counter polar_bridge_log_lines_dropped_total{}",
		"gauge polar_bridge_oldest_waiting_timestamp_seconds{}",
		"gauge polar_bridge_polar_paused{reason}",
		"histogram polar_bridge_polar_request_duration_seconds{code,operation}",
		"histogram polar_bridge_polar_slot_wait_seconds{}",
		"gauge polar_bridge_reconcile_interval_seconds{}",
		"gauge polar_bridge_reconcile_last_success_timestamp_seconds{provider}",
		"gauge polar_bridge_reconcile_orphans{provider}",
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
		"polar_bridge_deletions", "polar_bridge_oldest_waiting_timestamp_seconds", "polar_bridge_polar_paused",
		"polar_bridge_reconcile_interval_seconds", "polar_bridge_reconcile_last_success_timestamp_seconds", "polar_bridge_reconcile_orphans",
	}
	for _, f := range families {
		require.Equal(t, slices.Contains(shared, f.GetName()), strings.Contains(f.GetHelp(), "aggregate with max"), f.GetName())
	}
}

func TestKnownSeriesExistFromTheStart(t *testing.T) {
	t.Parallel()
	_, reg := newMetrics(t)
	got := series(t, reg)
	require.Equal(t, map[string]float64{}, changed(t, reg))

	want := []string{
		`polar_bridge_webhooks_total{outcome="not_found",provider="none"}`,
		`polar_bridge_database_size_bytes{}`,
		`polar_bridge_database_integrity_ok{}`,
		`polar_bridge_database_maintenance_failures_total{maintenance="checkpoint"}`,
		`polar_bridge_database_maintenance_failures_total{maintenance="integrity_check"}`,
		`polar_bridge_log_lines_dropped_total{}`,
		`polar_bridge_oldest_waiting_timestamp_seconds{}`,
		`polar_bridge_polar_slot_wait_seconds{}`,
		`polar_bridge_deletions{state="waiting"}`,
		`polar_bridge_deletions{state="held"}`,
		`polar_bridge_build_info{goversion="go1.26",revision="abc",version="v1.2.3"}`,
	}
	for _, p := range []string{"clerk", "auth0"} {
		want = append(want, fmt.Sprintf(`polar_bridge_webhook_duration_seconds{provider=%q}`, p),
			fmt.Sprintf(`polar_bridge_deletion_delay_seconds{provider=%q}`, p))
		for o := range strings.FieldsSeq("accepted duplicate ignored unauthenticated malformed too_large unsupported unavailable error") {
			want = append(want, fmt.Sprintf(`polar_bridge_webhooks_total{outcome=%q,provider=%q}`, o, p))
		}
		for o := range strings.FieldsSeq("accepted duplicate ignored held") {
			want = append(want, fmt.Sprintf(`polar_bridge_events_total{outcome=%q,provider=%q}`, o, p))
		}
		for o := range strings.FieldsSeq("deleted not_found dry_run cancelled") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletions_total{outcome=%q,provider=%q}`, o, p))
		}
		for r := range strings.FieldsSeq("unusable_id unaddressable rejected unexpected exhausted forbidden") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletions_held_total{provider=%q,reason=%q}`, p, r))
		}
		for r := range strings.FieldsSeq("deleted not_found rate_limited unauthorized forbidden rejected server_error network_error unexpected") {
			want = append(want, fmt.Sprintf(`polar_bridge_deletion_attempts_total{provider=%q,result=%q}`, p, r))
		}
	}
	for r := range strings.FieldsSeq("rate_limited unauthorized unexpected outage") {
		want = append(want, fmt.Sprintf(`polar_bridge_polar_paused{reason=%q}`, r))
	}
	for g := range strings.FieldsSeq("team recreated") {
		want = append(want, fmt.Sprintf(`polar_bridge_guards_blind{guard=%q}`, g))
	}
	for op := range strings.FieldsSeq("delete_customer probe get_customer") {
		for c := range strings.FieldsSeq("204 400 401 403 404 422 429 500 502 503 504 520 524 1xx 2xx 3xx 4xx 5xx error") {
			want = append(want, fmt.Sprintf(`polar_bridge_polar_request_duration_seconds{code=%q,operation=%q}`, c, op))
		}
	}
	for _, name := range want {
		require.Contains(t, got, name)
	}
}

// Service levels are about these bounds; a histogram knows shares only at them.
func TestHistogramsHaveTheBoundsThatMatter(t *testing.T) {
	t.Parallel()
	want := map[string][]float64{
		"polar_bridge_webhook_duration_seconds":       {0.1, 0.25, 0.5, 1, 2},
		"polar_bridge_deletion_delay_seconds":         {0.1, 60, 3600, 86400, 604800},
		"polar_bridge_polar_request_duration_seconds": {1, 5, 10},
		"polar_bridge_polar_slot_wait_seconds":        {0.1, 1, 5},
	}
	m, reg := newMetrics(t)
	m.WebhookReceived("clerk", metrics.WebhookAccepted, time.Second)
	m.DeletionFinished("clerk", metrics.DeletionDeleted, time.Second)
	m.PolarRequest(metrics.OperationProbe, "404", time.Second)
	m.SlotWait(time.Second)
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
	before := len(series(t, reg))
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string { return fmt.Sprintf("x%d", rnd.Uint64()) }
	for range 10_000 {
		m.WebhookReceived(word(), word(), time.Second)
		m.WebhookReceived("clerk", word(), time.Second)
		m.Events(word(), word(), 1)
		m.Events(word(), metrics.EventHeld, 1)
		m.DeletionFinished(word(), word(), time.Second)
		m.DeletionFinished(word(), metrics.DeletionDeleted, time.Second)
		m.DeletionHeld(word(), word())
		m.Attempt(word(), word())
		m.PolarRequest(word(), word(), time.Second)
		m.PolarRequest(metrics.OperationProbe, fmt.Sprint(rnd.IntN(1200)-100), time.Second)
		m.SetPolarPaused(word())
	}
	require.Len(t, series(t, reg), before)
}

func TestOrphansAreStatedForProvidersThatAreReconciled(t *testing.T) {
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
