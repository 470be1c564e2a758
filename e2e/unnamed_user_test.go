package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// TestAnEventThatNamesTheCustomerButNotTheUser sends it to a server that would
// ask Clerk whether the user is gone.
func TestAnEventThatNamesTheCustomerButNotTheUser(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"missing": "", "null": `"id":null,`, "a number": `"id":42,`, "empty": `"id":"",`} {
		t.Run("is held, says why, and can be approved: "+name, func(t *testing.T) {
			t.Parallel()
			env, c := withClerk(t, databasetest.SQLite(t), "CLERK_ID_FIELD=external_id")
			env.polar.AddCustomer(polartest.Customer{ExternalID: "shop_1", CreatedAt: longAgo()})
			p := env.start(t)
			p.deliver(t, signBody(t, "msg_1", `{"type":"user.deleted","data":{"object":"user","deleted":true,`+id+`"external_id":"shop_1"}}`, time.Now()), 202)
			p.waitMetric(t, `polar_bridge_deletions_held_total{provider="clerk",reason="user_exists"}`, 1, 20*time.Second)
			require.True(t, env.polar.Exists("shop_1"))
			require.Eventually(t, func() bool { // it is counted before it is stored as held
				out, err := env.command(t, "deletions", "approve", "--reason", "user_exists", "--yes").CombinedOutput()
				return err == nil && strings.Contains(string(out), "1 deletion approved")
			}, patience, 100*time.Millisecond)
			p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 20*time.Second)
			require.False(t, env.polar.Exists("shop_1"))
			require.Empty(t, c.Calls(), "there is nobody to ask about")
		})
	}
}
