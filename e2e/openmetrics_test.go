package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// Prometheus asks for OpenMetrics first. It gets the text format, without exemplars,
// and what reads that as OpenMetrics (an agent that converts it) finds every family once.
func TestAScrapeThatAsksForOpenMetrics(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(1)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_1", ids[0]), http.StatusAccepted)
	env.waitDeleted(t, ids, 20*time.Second)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/metrics", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	require.Equal(t, expfmt.TypeTextPlain, expfmt.ResponseFormat(response.Header).FormatType())
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text), " # {", "an exemplar")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	require.NoError(t, err)
	for _, one := range []string{"polar_bridge_webhooks_total", "polar_bridge_deletions_pending", "go_goroutines", "go_sql_open_connections", "process_open_fds"} {
		require.Contains(t, families, one)
	}

	// client_golang's own collector has a gauge and a counter of this name.
	// https://github.com/prometheus/client_golang/issues/829
	delete(families, "go_memstats_alloc_bytes_total")
	var converted strings.Builder
	encoder := expfmt.NewEncoder(&converted, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, family := range families {
		require.NoError(t, encoder.Encode(family))
	}
	owner := map[string]string{} // of the name of each series, its family
	for line := range strings.Lines(converted.String()) {
		name, found := strings.CutPrefix(line, "# TYPE ")
		if !found {
			continue
		}
		name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
		suffixes := map[string][]string{"counter": {"", "_total", "_created"}, "histogram": {"", "_bucket", "_count", "_sum", "_created"}, "summary": {"", "_count", "_sum", "_created"}}[kind]
		if suffixes == nil {
			suffixes = []string{""}
		}
		for _, suffix := range suffixes {
			require.NotContains(t, owner, name+suffix, "of %s and %s", name, owner[name+suffix])
			owner[name+suffix] = name
		}
	}
	require.Len(t, families, strings.Count(converted.String(), "# TYPE "))
}
