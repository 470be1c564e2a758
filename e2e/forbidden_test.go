package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Polar's NotPermitted is about one customer, and so may be what Cloudflare
// refuses: three of them must not stop sixty others.
func TestA403AboutOneCustomerStopsNobodyElse(t *testing.T) {
	t.Parallel()
	tests := map[string]func(env *environment, id string){
		"NotPermitted": func(env *environment, id string) {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo(), Forbidden: true})
		},
		"Cloudflare forbids the DELETE": func(env *environment, id string) {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			env.polar.SetFaultFunc(forbidding("bad_", polartest.Cloudflare(1020), polartest.OperationDelete))
		},
		"Cloudflare forbids the look": func(env *environment, id string) {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			env.polar.SetFaultFunc(forbidding("bad_", polartest.Cloudflare(1010), polartest.OperationGet))
		},
		"a challenge page": func(env *environment, id string) {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			env.polar.SetFaultFunc(forbidding("bad_", polartest.Challenge(), polartest.OperationDelete))
		},
	}
	for name, forbid := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t))
			ids := env.addCustomers(60)
			p := env.start(t)
			for i := range 3 {
				bad := fmt.Sprint("bad_", i)
				forbid(env, bad)
				p.deliver(t, sign(t, "clerk", "msg_"+bad, bad), http.StatusAccepted)
			}
			for i, id := range ids {
				p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
			}
			env.waitDeleted(t, ids, 30*time.Second)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 3, 20*time.Second)
			require.Positive(t, p.metric(t, `polar_bridge_deletion_attempts_total{provider="clerk",result="forbidden"}`))
			p.says(t, `"msg":"deletion retried"`)
			require.NotContains(t, p.output(), `"reason":"unauthorized"`)
			for _, reason := range []string{"unauthorized", "unexpected", "outage"} {
				require.Zero(t, p.metric(t, fmt.Sprintf(`polar_bridge_polar_paused{reason=%q}`, reason)))
			}
			for i := range 3 {
				require.True(t, env.polar.Exists(fmt.Sprint("bad_", i)))
			}
		})
	}
}

// forbidding answers so to calls about some customers.
func forbidding(prefix string, with polartest.Fault, operation polartest.Operation) func(polartest.Entry) polartest.Fault {
	return func(e polartest.Entry) polartest.Fault {
		if e.Operation == operation && strings.HasPrefix(e.ExternalID, prefix) {
			return with
		}
		return polartest.Fault{}
	}
}

// Where it is about everybody nothing is tried but one call a minute, nothing
// is held against anybody, and nobody blames the token.
func TestA403ToEverythingPausesAllCalls(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(20)
	env.polar.SetFault(polartest.Cloudflare(1010))
	p := env.start(t)
	for i, id := range ids {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	p.waitMetric(t, `polar_bridge_polar_paused{reason="unexpected"}`, 1, 20*time.Second)
	require.Zero(t, p.metric(t, `polar_bridge_polar_paused{reason="unauthorized"}`))
	require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	calls := env.calls()
	require.Less(t, calls, 20, "those that were under way, each with its probe")
	env.polar.ClearFaults()
	env.waitDeleted(t, ids, 2*time.Minute)
}

// What stays forbidden for a week is for a human, in its own words.
func TestWhatStaysForbiddenIsHeldInTheEnd(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: longAgo(), Forbidden: true})
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)
	env.waitForCalls(t, 3, "a look, a DELETE, a probe")
	require.Equal(t, "waiting", env.deletion(t, "user_1", "waiting").State)
	_, err := handle(t, sqliteFile(env.database)).ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET failing_for = $1", (7 * 24 * time.Hour).Microseconds())
	require.NoError(t, err)
	d := env.deletion(t, "user_1", "held")
	require.Equal(t, "forbidden", d.HoldReason)
	require.True(t, env.polar.Exists("user_1"))

	// No approval changes what Polar allows; trying again does.
	env.bridge(t, 1, "deletions", "approve", fmt.Sprint(d.ID), "--yes")
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: longAgo()})
	env.bridge(t, 0, "deletions", "retry", fmt.Sprint(d.ID))
	env.waitDeleted(t, []string{"user_1"}, 30*time.Second)
}
