package metrics_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/metrics"
)

// reference is the page with all metrics, which this test writes.
const reference = "../docs/metrics.md"

const referenceHead = `# Metrics

What ` + "`polar-bridge serve`" + ` shows at ` + "`/metrics`" + ` of the admin listener (` + "`ADMIN_ADDR`" + `). Names, labels and label values are a contract: dashboards and
alerts may rely on them. ` + "`provider`" + ` is the name of a route, or ` + "`none`" + ` for a request to no route and for a provider that this program does not know (any
more). The counters of every enabled provider exist from the start at 0; a histogram appears with what it observes first. Histograms have classic
buckets and, for a Prometheus that takes them, native ones. Beside these there are those of Go and of the process (` + "`go_*`, `process_*`" + `), and of the pools of
connections to the database (` + "`go_sql_*`; `db_name` is `main` or `reader`" + `): ` + "`go_sql_wait_duration_seconds_total`" + ` grows while a pool is too small.

The alert rules are in [helm/rules](../helm/rules/polar-bridge.yaml), what to do about each in the [runbook](runbook.md).

This page is generated: ` + "`make settings`" + `.

| metric | kind | labels | meaning |
|---|---|---|---|
`

// TestReference fails when docs/metrics.md is not what the program measures.
func TestReference(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry, metrics.Options{
		Providers: []string{"clerk", "auth0", "okta"}, Enabled: []string{"clerk", "auth0", "okta"}, Reconciled: []string{"clerk"},
		Version: "v", Revision: "r", GoVersion: "g",
	})
	everySeries(m)
	for _, operation := range metrics.PolarOperations() {
		for _, code := range metrics.PolarCodes() {
			m.PolarRequest(operation, code, time.Second)
		}
	}
	m.RateLimitWait(time.Second)
	families, err := registry.Gather()
	require.NoError(t, err)
	page := referenceHead
	named := map[string]bool{}
	for _, family := range families {
		name := strings.TrimSuffix(family.GetName(), "_total") // a collector may read it as OpenMetrics
		require.False(t, named[name], "two families are called %s in OpenMetrics", name)
		named[name] = true
		page += fmt.Sprintf("| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), labels(family), family.GetHelp())
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(reference, []byte(page), 0o644))
	}
	written, err := os.ReadFile(reference)
	require.NoError(t, err)
	require.Equal(t, page, string(written), "docs/metrics.md is out of date: make settings")
}

// labels are a metric's labels with their values.
func labels(family *dto.MetricFamily) string {
	values := map[string]map[string]bool{}
	for _, metric := range family.GetMetric() {
		for _, label := range metric.GetLabel() {
			if values[label.GetName()] == nil {
				values[label.GetName()] = map[string]bool{}
			}
			values[label.GetName()]["`"+label.GetValue()+"`"] = true
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains([]string{"provider", "version", "revision", "goversion"}, name) {
			parts = append(parts, "`"+name+"`")
			continue
		}
		parts = append(parts, "`"+name+"`: "+strings.Join(slices.Sorted(maps.Keys(values[name])), ", "))
	}
	return strings.Join(parts, "; ")
}
