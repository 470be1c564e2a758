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

// A lookup that never works although the DELETE would must not keep a customer for
// ever, nor stop anybody else.
func TestALookupThatAlwaysFailsIsForAHumanAfterADay(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(20)
		env.polar.AddCustomer(polartest.Customer{ExternalID: "odd_1", CreatedAt: longAgo()})
		env.polar.SetFaultFunc(forbidding("odd_", polartest.InternalError(), polartest.OperationGet))
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_odd", "odd_1"), http.StatusAccepted)
		p.says(t, `"reason":"server_error"`)
		env.pretendLookupsFailed(t, 23*time.Hour, func() bool { return strings.Contains(p.output(), `"reason":"lookup_failed"`) })
		require.Equal(t, "waiting", env.deletion(t, "odd_1", "waiting").State)
		for i, id := range ids {
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
		}
		env.waitDeleted(t, ids, 30*time.Second)
		require.Zero(t, p.metric(t, `polar_bridge_polar_paused{reason="outage"}`))

		env.pretendLookupsFailed(t, 24*time.Hour, func() bool { return strings.Contains(p.output(), `"msg":"deletion held"`) })
		held := env.deletion(t, "odd_1", "held")
		require.Equal(t, "exhausted", held.HoldReason)
		require.Contains(t, env.bridge(t, 0, "deletions", "list", "--state", "held"), "exhausted by the lookup")
		require.Contains(t, env.bridge(t, 0, "deletions", "show", fmt.Sprint(held.ID)), "has failed for 24h")
		require.True(t, env.polar.Exists("odd_1"))
		env.bridge(t, 0, "deletions", "approve", fmt.Sprint(held.ID))
		env.waitDeleted(t, []string{"odd_1"}, 30*time.Second)
		p.says(t, `"guards_blind":true`)
	})
}

// pretendLookupsFailed makes all deletions look as if their lookups had failed for
// that long, until something has happened. An attempt under way overwrites it.
func (env *environment) pretendLookupsFailed(t *testing.T, long time.Duration, happened func() bool) {
	t.Helper()
	db := store{}.handle(t, env.database)
	require.Eventually(t, func() bool {
		_, err := db.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET failures = 5, lookup_failing_for = $1 WHERE state = 'waiting'", long.Microseconds())
		require.NoError(t, err)
		return happened()
	}, 90*time.Second, 50*time.Millisecond)
}

func TestWhatNoApprovalChangesIsRefusedWithWhatToDoInstead(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(1)
	env.polar.SetFaultFunc(onlyDeletes(rejected()))
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
	id := fmt.Sprint(env.deletion(t, ids[0], "held").ID)
	env.polar.ClearFaults()
	for _, args := range [][]string{{id}, {"--reason", "rejected", "--yes"}} {
		said, err := env.command(t, append([]string{"deletions", "approve"}, args...)...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(said), "then retry the deletion")
	}
	require.Equal(t, "0 deletions approved\n", env.bridge(t, 1, "deletions", "approve", "--all", "--yes"))
	env.deletion(t, ids[0], "held")
	require.True(t, env.polar.Exists(ids[0]))
	env.bridge(t, 0, "deletions", "retry", id)
	env.waitDeleted(t, ids, 30*time.Second)
}
