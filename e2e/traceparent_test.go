package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// traceparentOf is a header of the n-th trace, and the trace's id.
func traceparentOf(n int) (header, traceID string) {
	traceID = fmt.Sprintf("4bf92f3577b34da6a3ce929d0e0e47%02x", n)
	return "00-" + traceID + "-00f067aa0ba902b7-01", traceID
}

// linesAbout are the log's lines that hold all of the texts.
func (p *process) linesAbout(texts ...string) (lines []string) {
	for line := range strings.Lines(p.output()) {
		about := true
		for _, text := range texts {
			about = about && strings.Contains(line, text)
		}
		if about {
			lines = append(lines, line)
		}
	}
	return lines
}

// requireTraced wants of every such line, and of at least one, that it has the trace.
func (p *process) requireTraced(t *testing.T, traceID string, texts ...string) {
	t.Helper()
	lines := p.linesAbout(texts...)
	require.NotEmpty(t, lines, "%v\n%s", texts, p.output())
	for _, line := range lines {
		require.Contains(t, line, `"trace_id":"`+traceID+`"`)
	}
}

func TestATraceIsCarriedFromTheWebhookToPolar(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database, "VERIFY_AFTER=1s")
		ids := env.addCustomers(2)
		traced, untraced := ids[0], ids[1]
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_team", Type: "team", CreatedAt: longAgo()})
		header, traceID := traceparentOf(1)
		other, otherID := traceparentOf(2)

		p := env.start(t)
		env.bridge(t, 0, "deletions", "pause")
		p.deliver(t, sign(t, "clerk", "msg_0", traced).with("traceparent", header), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_0", traced).with("traceparent", other), http.StatusOK)
		p.deliver(t, sign(t, "clerk", "msg_1", untraced), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_2", "user_team").with("traceparent", other), http.StatusAccepted)
		p.deliver(t, signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk").with("traceparent", other), http.StatusUnauthorized)
		p.says(t, `"outcome":"unauthenticated"`)
		p.requireTraced(t, traceID, "webhook received", "msg_0", `"outcome":"accepted"`)
		p.requireTraced(t, otherID, "webhook received", "msg_0", `"outcome":"duplicate"`)
		p.requireTraced(t, otherID, "webhook received", `"outcome":"unauthenticated"`)
		require.Len(t, p.linesAbout(traceID), 1, "the others have traces of their own, or none")
		require.Zero(t, p.terminate(t))

		// What another process knows of it, the row has told.
		var failed atomic.Bool
		env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
			if e.Operation == polartest.OperationDelete && e.ExternalID == traced && failed.CompareAndSwap(false, true) {
				return polartest.Gateway(http.StatusServiceUnavailable)
			}
			return polartest.Fault{}
		})
		p = env.start(t)
		env.bridge(t, 0, "deletions", "resume")
		env.waitDeleted(t, ids, time.Minute)
		p.waitMetric(t, `polar_bridge_verifications_total{outcome="gone",provider="clerk"}`, 2, time.Minute)
		held := env.deletion(t, "user_team", "held")
		p.says(t, "verification finished")
		p.requireTraced(t, traceID, "deletion retried", "msg_0")
		p.requireTraced(t, traceID, "deletion finished", "msg_0")
		p.requireTraced(t, traceID, "verification finished", "msg_0")
		p.requireTraced(t, otherID, "deletion held", "msg_2")
		for _, line := range p.linesAbout("msg_1") {
			require.NotContains(t, line, "trace_id")
		}

		require.Equal(t, traceID, env.shown(t, env.deletion(t, traced, "done").ID)["trace_id"], "the first delivery's")
		require.Equal(t, otherID, env.shown(t, held.ID)["trace_id"])
		require.Empty(t, env.shown(t, env.deletion(t, untraced, "done").ID)["trace_id"])
		require.Contains(t, env.bridge(t, 0, "deletions", "show", traced), traceID)
		require.Contains(t, env.bridge(t, 0, "deletions", "export", "--since", "1h", "--format", "jsonl"), `"trace_id":"`+traceID+`"`)
		env.requireTracedCalls(t, traced, traceID)
		env.requireTracedCalls(t, "user_team", otherID)
		env.requireTracedCalls(t, untraced, "")
	})
}

// requireTracedCalls wants of every call to Polar about the customer that it is part of
// the trace, under a parent that is not the webhook's.
func (env *environment) requireTracedCalls(t *testing.T, externalID, traceID string) {
	t.Helper()
	calls := 0
	for _, call := range env.journal() {
		if call.ExternalID != externalID {
			continue
		}
		calls++
		if traceID == "" {
			require.Empty(t, call.Traceparent)
			continue
		}
		require.Regexp(t, "^00-"+traceID+"-[0-9a-f]{16}-01$", call.Traceparent)
		require.NotContains(t, call.Traceparent, "00f067aa0ba902b7")
	}
	require.Positive(t, calls)
}

func TestAnInvalidTraceIsIgnored(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		p := env.start(t)
		valid, traceID := traceparentOf(1)
		for i, header := range []string{
			strings.ToUpper(valid), valid + "-what-the-future-may-bring", strings.Repeat(valid, 100), valid[:54],
			"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01",
			"ff" + valid[2:], strings.Replace(valid, "4bf9", `4b"9`, 1), strings.Replace(valid, "-", " ", 1),
		} {
			customer := fmt.Sprint("user_", i)
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), customer).with("traceparent", header), http.StatusAccepted)
			require.Empty(t, env.shown(t, env.deletion(t, customer, "done").ID)["trace_id"], header)
		}
		twice := sign(t, "clerk", "msg_twice", "user_twice").with("traceparent", valid)
		twice.header.Add("traceparent", valid)
		p.deliver(t, twice, http.StatusAccepted)
		require.Empty(t, env.shown(t, env.deletion(t, "user_twice", "done").ID)["trace_id"])
		p.says(t, "msg_twice")
		require.NotContains(t, p.output(), "trace_id")
		for _, call := range env.journal() {
			require.Empty(t, call.Traceparent)
		}
	})
}
