package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// span is what the tests read of one.
type span struct {
	Name         string `json:"name"`
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
}

// collector takes spans as OpenTelemetry's does.
type collector struct {
	*httptest.Server

	mutex sync.Mutex
	spans []span
	texts string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var sent struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []span `json:"spans"`
				} `json:"scopeSpans"`
			} `json:"resourceSpans"`
		}
		if err != nil || r.URL.Path != "/v1/traces" || json.Unmarshal(text, &sent) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.texts += string(text)
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					s.TraceID, s.SpanID, s.ParentSpanID = strings.ToLower(s.TraceID), strings.ToLower(s.SpanID), strings.ToLower(s.ParentSpanID)
					c.spans = append(c.spans, s)
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(c.Close)
	return c
}

// of are the spans of a trace by that name.
func (c *collector) of(traceID, name string) (found []span) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, s := range c.spans {
		if s.TraceID == traceID && s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// one is the only one.
func (c *collector) one(t *testing.T, traceID, name string) span {
	t.Helper()
	found := c.of(traceID, name)
	require.Len(t, found, 1, "%s %s: %s", traceID, name, c.texts)
	return found[0]
}

func tracedEnvironment(t *testing.T, database, endpoint string) *environment {
	t.Helper()
	return newEnvironment(t, database, "VERIFY_AFTER=1s", "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
}

func TestSpansLeadFromTheWebhookToPolar(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		collector := newCollector(t)
		env := tracedEnvironment(t, database, collector.URL)
		ids := env.addCustomers(2)
		header, traceID := traceparentOf(1)
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]).with("traceparent", header), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_1", ids[1]), http.StatusAccepted)
		p.deliver(t, signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk").with("traceparent", header), http.StatusUnauthorized)
		env.waitDeleted(t, ids, time.Minute)
		p.waitMetric(t, `polar_bridge_verifications_total{outcome="gone",provider="clerk"}`, 2, time.Minute)
		own, _ := env.shown(t, env.deletion(t, ids[1], "done").ID)["trace_id"].(string)
		require.Regexp(t, "^[0-9a-f]{32}$", own, "a webhook without a trace begins one")
		require.Zero(t, p.terminate(t), p.output()) // and sends the last spans

		p.requireTraced(t, traceID, "msg_0")
		p.requireTraced(t, own, "msg_1")
		for id, externalID := range map[string]string{traceID: ids[0], own: ids[1]} {
			request := collector.one(t, id, "POST /webhooks/clerk")
			require.Equal(t, map[string]string{traceID: "00f067aa0ba902b7"}[id], request.ParentSpanID)
			require.Equal(t, request.SpanID, collector.one(t, id, "store deletions").ParentSpanID)
			attempt, look := collector.one(t, id, "delete customer"), collector.one(t, id, "verify deletion")
			require.Equal(t, []string{request.SpanID, request.SpanID}, []string{attempt.ParentSpanID, look.ParentSpanID})
			require.Equal(t, attempt.SpanID, collector.one(t, id, "DELETE "+env.polar.URL().Host).ParentSpanID)
			parents := map[string]bool{attempt.SpanID: true, look.SpanID: true}
			for _, call := range collector.of(id, "GET "+env.polar.URL().Host) {
				require.True(t, parents[call.ParentSpanID])
			}
			require.True(t, slices.ContainsFunc(env.journal(), func(e polartest.Entry) bool {
				return e.ExternalID == externalID && e.Traceparent == "00-"+id+"-"+collector.one(t, id, "DELETE "+env.polar.URL().Host).SpanID+e.Traceparent[52:]
			}), "Polar is told the span of the request")
		}
		for _, never := range append(ids, "marker", "Bearer", "/v1/customers") {
			require.NotContains(t, collector.texts, never)
		}
	})
}

func TestACollectorThatIsAwayKeepsNothingWaiting(t *testing.T) {
	t.Parallel()
	env := tracedEnvironment(t, databasetest.SQLite(t), "http://"+freeAddress(t))
	env.set("OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_EXPORTER_OTLP_TIMEOUT=500")
	ids := env.addCustomers(1)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
	env.waitDeleted(t, ids, time.Minute)
	p.says(t, `"msg":"send traces failed"`)
	require.Zero(t, p.terminate(t), p.output())
}

func TestTracesThatCannotBeSentStopNothing(t *testing.T) {
	t.Parallel()
	env := tracedEnvironment(t, databasetest.SQLite(t), "http://127.0.0.1:4317")
	env.set("OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	ids := env.addCustomers(1)
	p := env.start(t)
	p.says(t, `"msg":"traces are not sent"`)
	p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
	env.waitDeleted(t, ids, time.Minute)
}
