package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// organizationDeleted is what Clerk says of one.
func organizationDeleted(t *testing.T, eventID, id string) delivery {
	t.Helper()
	return signBody(t, eventID, fmt.Sprintf(`{"object":"event","type":"organization.deleted","data":{"object":"organization","id":%q,"slug":"acme-corp","deleted":true}}`, id), time.Now())
}

func TestAShopThatBillsOrganizations(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, c := withClerk(t, database, "CLERK_EVENTS=user.deleted,organization.deleted")
		c.SetOrganizations("org_lives", "org_forged")
		c.AddUser("user_member")
		for _, id := range []string{"org_gone", "org_lives", "org_forged", "org_asked"} {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, Type: "team", CreatedAt: longAgo(), Members: []string{"user_member"}})
		}
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_member", CreatedAt: longAgo()})
		p := env.start(t)
		p.deliver(t, organizationDeleted(t, "msg_1", "org_gone"), http.StatusAccepted)
		env.waitDeleted(t, []string{"org_gone"}, 20*time.Second) // no team holds it
		// What exists does not go, whatever the event says that it is.
		p.deliver(t, organizationDeleted(t, "msg_2", "org_lives"), http.StatusAccepted)
		p.deliver(t, organizationDeleted(t, "msg_3", "user_member"), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_4", "org_forged"), http.StatusAccepted)
		p.waitMetric(t, held("clerk", "user_exists"), 2, 20*time.Second)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 1, 20*time.Second) // Clerk may be behind
		require.Equal(t, 1, env.deletes())

		shown := env.bridge(t, 0, "deletions", "show", strconv.FormatInt(env.deletion(t, "org_gone", "done").ID, 10))
		require.Regexp(t, `object +organization`, shown)
		require.Contains(t, env.bridge(t, 0, "deletions", "export", "--format", "jsonl"), `"object":"organization"`)
		// By hand it is the same.
		env.bridge(t, 1, "deletions", "request", "--external-id", "org_lives", "--because", "mail", "--yes")
		env.bridge(t, 0, "deletions", "request", "--external-id", "org_asked", "--because", "mail", "--yes")
		env.waitDeleted(t, []string{"org_asked"}, 20*time.Second)
		// Nobody takes them for users who are missing.
		require.Empty(t, found(t, env.reconcile(t, "--json")))
	})
}
