package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// deletedAt is a deletion that an instance of Clerk tells of.
func deletedAt(t *testing.T, instance, eventID, userID string) delivery {
	t.Helper()
	return signBody(t, eventID, fmt.Sprintf(
		`{"object":"event","type":"user.deleted","instance_id":%q,"data":{"object":"user","id":%q,"deleted":true}}`, instance, userID), time.Now())
}

func TestAnInstanceThatTheSettingsLeaveOutIsCountedApartAndTheListedOnesAreTaken(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "CLERK_INSTANCE_ID=ins_A,ins_B")
	p := env.start(t)
	p.deliver(t, deletedAt(t, "ins_A", "msg_a", "user_a"), http.StatusAccepted)
	p.deliver(t, deletedAt(t, "ins_B", "msg_b", "user_b"), http.StatusAccepted)
	p.deliver(t, deletedAt(t, "ins_C", "msg_c", "user_c"), http.StatusOK)
	p.waitMetric(t, `polar_bridge_events_total{outcome="other_instance",provider="clerk"}`, 1, 20*time.Second)
	require.InDelta(t, 0, p.metric(t, `polar_bridge_events_total{outcome="ignored",provider="clerk"}`), 0)
}

// Another instance of Clerk than the one whose key is set.
const (
	otherClerkKey = "sk_test_marker_of_another_instance"
	otherClerk    = "ins_another"
)

func TestAKeyOfAnotherInstanceMakesNobodyGoneAfterARotation(t *testing.T) {
	t.Parallel()
	env, c := withClerk(t, databasetest.SQLite(t))
	c.AddInstance(otherClerkKey, otherClerk)
	populate(env, c, 40, 0)
	file := filepath.Join(t.TempDir(), "clerk-key")
	require.NoError(t, os.WriteFile(file, []byte(directorytest.ClerkKey), 0o600))
	delete(env.settings, "CLERK_SECRET_KEY")
	env.settings["CLERK_SECRET_KEY_FILE"] = file
	p := env.start(t)
	c.DeleteUser("user_00000")
	p.deliver(t, sign(t, "clerk", "msg_true", "user_00000"), http.StatusAccepted)
	env.waitDeleted(t, []string{"user_00000"}, 20*time.Second)

	require.NoError(t, os.WriteFile(file, []byte(otherClerkKey), 0o600))
	next := 1 // living users, until the key that was swapped is the one that asks
	require.Eventually(t, func() bool {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", next), fmt.Sprintf("user_%05d", next)), http.StatusAccepted)
		next++
		return strings.Contains(p.output(), `"reason":"directory_other_instance"`) || env.deletes() > 1 || next == 40
	}, time.Minute, 500*time.Millisecond)
	p.says(t, `"reason":"directory_other_instance"`)
	require.Equal(t, 1, env.deletes())
	require.Len(t, env.polar.Customers(), 39)
}

func TestAnInstallationAsksTheInstanceThatItHasAskedSoFarUntilAnOperatorAcceptsAnother(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, c := withClerk(t, database)
		c.AddInstance(otherClerkKey, otherClerk)
		populate(env, c, 3, 0)
		c.DeleteUser("user_00000")
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_true", "user_00000"), http.StatusAccepted)
		env.waitDeleted(t, []string{"user_00000"}, 20*time.Second)
		require.Zero(t, p.terminate(t))

		env.settings["CLERK_SECRET_KEY"] = otherClerkKey
		p = env.start(t)
		p.deliver(t, deletedAt(t, otherClerk, "msg_living", "user_00001"), http.StatusAccepted)
		require.Eventually(t, func() bool {
			return strings.Contains(p.output(), `"reason":"directory_other_instance"`)
		}, patience, 10*time.Millisecond, "%s", p)
		require.Contains(t, env.bridge(t, 1, "doctor"), "polar-bridge doctor --accept-instance "+otherClerk)
		require.Contains(t, env.bridge(t, 1, "doctor", "--accept-instance", "ins_typo"), "nothing was accepted")
		require.True(t, env.polar.Exists("user_00001"))

		require.Contains(t, env.bridge(t, 0, "doctor", "--accept-instance", otherClerk), "belongs to the instance "+otherClerk)
		env.waitDeleted(t, []string{"user_00001"}, time.Minute) // the server that runs believes it too
		require.NotContains(t, env.bridge(t, 0, "doctor"), "accept-instance")
	})
}

func TestLivingUsersOfASecondInstanceBehindOneBridgeAreHeldUntilSomebodyApproves(t *testing.T) {
	t.Parallel()
	const second = "whsec_c2Vjb25kLWluc3RhbmNlLW1hcmtlci1rZXk="
	for name, settings := range map[string][]string{
		"learned": nil, "listed": {"CLERK_INSTANCE_ID=" + directorytest.ClerkInstance + "," + otherClerk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, c := withClerk(t, databasetest.SQLite(t), append(settings, "CLERK_WEBHOOK_SIGNING_SECRET="+clerkKey+","+second)...)
			ids := []string{"user_b1", "user_b2", "user_b3", "user_b4", "user_a"}
			for _, id := range ids {
				env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo(), ActiveSubscriptions: 1})
			}
			c.AddInstance(otherClerkKey, otherClerk, ids[:4]...)
			p := env.start(t)
			for i, id := range ids[:4] {
				p.deliver(t, deletedAt(t, otherClerk, fmt.Sprint("msg_", i), id), http.StatusAccepted)
			}
			p.deliver(t, deletedAt(t, directorytest.ClerkInstance, "msg_a", "user_a"), http.StatusAccepted)
			p.waitMetric(t, held("clerk", "other_instance"), 4, 20*time.Second)
			env.waitDeleted(t, []string{"user_a"}, 20*time.Second)
			require.Equal(t, 1, env.deletes())
			env.approve(t, "user_b1")
			env.waitDeleted(t, []string{"user_b1"}, 20*time.Second)
		})
	}
}

func TestAuth0OfAnotherTenantIsNotBelieved(t *testing.T) {
	t.Parallel()
	ours, another := directorytest.StartAuth0(t), directorytest.StartAuth0(t)
	env := newEnvironment(t, databasetest.SQLite(t), "AUTH0_DOMAIN="+ours.URL().String(),
		"AUTH0_CLIENT_ID="+directorytest.Auth0ClientID, "AUTH0_CLIENT_SECRET="+directorytest.Auth0ClientSecret)
	for i := range 60 {
		id := fmt.Sprintf("auth0|%02d", i)
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
		if i > 0 {
			ours.AddUser(id)
		}
		if i > 1 {
			another.AddUser(id)
		}
	}
	env.bridge(t, 0, "migrate")
	require.Contains(t, env.bridge(t, 0, "reconcile", "--provider", "auth0"), "auth0|00")
	env.settings["AUTH0_DOMAIN"] = another.URL().String()
	require.Empty(t, env.bridge(t, 1, "reconcile", "--provider", "auth0", "--restart"), "nobody is an orphan")
	require.Contains(t, env.bridge(t, 1, "doctor"), "--accept-instance "+another.URL().Host)
	env.bridge(t, 0, "doctor", "--accept-instance", another.URL().Host)
	require.Contains(t, env.bridge(t, 0, "reconcile", "--provider", "auth0", "--restart"), "auth0|01")
}

func TestOneServerIsOneClientOfAuth0(t *testing.T) {
	t.Parallel()
	a := directorytest.StartAuth0(t)
	env := newEnvironment(t, databasetest.SQLite(t), "RECONCILE_INTERVAL=1h", "AUTH0_DOMAIN="+a.URL().String(),
		"AUTH0_CLIENT_ID="+directorytest.Auth0ClientID, "AUTH0_CLIENT_SECRET="+directorytest.Auth0ClientSecret)
	env.polar.AddCustomer(polartest.Customer{ExternalID: "auth0|gone", CreatedAt: longAgo()})
	for i := range 60 {
		id := fmt.Sprintf("auth0|%02d", i)
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
		a.AddUser(id)
	}
	p := env.start(t)
	p.waitMetric(t, `polar_bridge_reconcile_orphans{provider="auth0"}`, 1, 20*time.Second)
	p.deliver(t, sign(t, "auth0", "evt_gone", "auth0|gone"), http.StatusAccepted)
	env.waitDeleted(t, []string{"auth0|gone"}, time.Minute) // Auth0 is asked after 30 seconds
	require.Equal(t, 1, a.Issued(), "sweeps and confirmations share a token, and with it the wait after a 429")
}

func TestADeletionMadeBySendIsConfirmedAtWhicheverInstanceIsAsked(t *testing.T) {
	t.Parallel()
	env, c := withClerk(t, databasetest.SQLite(t))
	c.AddInstance(otherClerkKey, otherClerk)
	env.settings["CLERK_SECRET_KEY"] = otherClerkKey
	p := env.start(t)
	env.send(t, p, "clerk", "") // the id that send makes has the form of Clerk's, else it would be held
	require.Eventually(t, func() bool {
		return p.metric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`) == 1
	}, patience, 20*time.Millisecond)
}

func TestReconcileOfTwoInstancesOnOneOrganization(t *testing.T) {
	t.Parallel()
	// 40 customers are living users of the other instance: 3.8 % of all.
	behindOneBridge := func(t *testing.T) *environment {
		t.Helper()
		env, c := withClerk(t, databasetest.SQLite(t))
		populate(env, c, 1010, 0)
		for i := range 40 {
			env.polar.AddCustomer(polartest.Customer{ExternalID: fmt.Sprintf("user_ofAnother%02d", i), CreatedAt: longAgo(), ActiveSubscriptions: 1})
		}
		env.bridge(t, 0, "migrate")
		return env
	}
	t.Run("applies nothing without the operator's word", func(t *testing.T) {
		t.Parallel()
		env := behindOneBridge(t)
		env.bridge(t, 2, "reconcile", "--provider", "clerk", "--apply")
		require.Contains(t, env.bridge(t, 0, "deletions", "list"), "No deletions.")
	})
	t.Run("applies nothing against what webhooks have told", func(t *testing.T) {
		t.Parallel()
		env := behindOneBridge(t)
		p := env.start(t)
		p.deliver(t, deletedAt(t, otherClerk, "msg_1", "user_ofAnother00"), http.StatusAccepted)
		p.deliver(t, deletedAt(t, directorytest.ClerkInstance, "msg_2", "user_unknown"), http.StatusAccepted)
		p.waitMetric(t, held("clerk", "other_instance"), 1, 20*time.Second)
		env.bridge(t, 1, "reconcile", "--provider", "clerk", "--apply", "--sole-instance")
		require.Zero(t, p.metric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`))
		require.Len(t, env.polar.Customers(), 1050)
	})
	t.Run("says how many of them a webhook has named", func(t *testing.T) {
		t.Parallel()
		env := behindOneBridge(t)
		env.settings["GRACE_PERIOD"] = "1h"
		p := env.start(t)
		p.deliver(t, deletedAt(t, directorytest.ClerkInstance, "msg_1", "user_ofAnother00"), http.StatusAccepted)
		require.Contains(t, env.bridge(t, 0, "reconcile", "--provider", "clerk", "--json"), `"orphans":40},"named_in_webhooks":1,`)
	})
}
