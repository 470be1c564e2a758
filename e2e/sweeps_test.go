package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestDeletionsGoOnBesideTheSweepsOfOtherProcesses(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		a := directorytest.StartAuth0(t)
		env, c := withClerk(t, database, "POLAR_RATE_LIMIT=600", "CONFIRM=false", "AUTH0_DOMAIN="+a.URL().String(),
			"AUTH0_CLIENT_ID="+directorytest.Auth0ClientID, "AUTH0_CLIENT_SECRET="+directorytest.Auth0ClientSecret)
		populate(env, c, 3000, 10) // each of those without a user costs a request of its own
		for i := range 3000 {
			id := fmt.Sprintf("auth0|%05d", i)
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			if i%10 != 0 {
				a.AddUser(id)
			}
		}
		p := env.start(t)
		for _, provider := range []string{"clerk", "auth0"} {
			sweep := env.command(t, "reconcile", "--provider", provider, "--max-share", "20%")
			require.NoError(t, sweep.Start())
			t.Cleanup(func() { _ = sweep.Process.Kill(); _ = sweep.Wait() })
		}
		require.Eventually(t, func() bool { return env.polar.CallsOf(polartest.OperationList) > 20 }, time.Minute, 10*time.Millisecond)
		ids := make([]string, 50)
		for i := range ids {
			ids[i] = fmt.Sprintf("user_%05d", i+1)
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), ids[i]), http.StatusAccepted)
		}
		env.waitDeleted(t, ids, 45*time.Second) // 100 requests, of 450 in that time
	})
}
