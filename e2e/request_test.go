package e2e_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// request asks for a deletion by hand and returns what the command printed, one object
// a line, as its results by external id.
func (env *environment) request(t *testing.T, code int, args ...string) map[string]string {
	t.Helper()
	results := map[string]string{}
	output := env.bridge(t, code, append([]string{"deletions", "request", "--because", "e-mail", "--yes", "--json"}, args...)...)
	for line := range strings.Lines(output) {
		var one struct {
			ExternalID string `json:"external_id"`
			Result     string `json:"result"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		results[one.ExternalID] = one.Result
	}
	return results
}

func TestARequestByHand(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, c := withClerk(t, database)
		for _, id := range []string{"user_gone", "user_living", "user_hooked", "user_paused"} {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo(), ActiveSubscriptions: 1})
		}
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_team", Type: "team", CreatedAt: longAgo()})
		c.AddUser("user_living")
		p := env.start(t)

		// Of a user who is gone, of a team, and of somebody whom Polar does not know.
		require.Equal(t, map[string]string{"user_gone": "requested"}, env.request(t, 0, "--external-id", "user_gone"))
		env.waitDeleted(t, []string{"user_gone"}, 30*time.Second)
		env.request(t, 0, "--external-id", "user_team")
		require.Equal(t, "team", env.deletion(t, "user_team", "held").HoldReason)
		env.request(t, 0, "--external-id", "user_unknown")
		require.Equal(t, "not_found", env.deletion(t, "user_unknown", "done").Outcome)

		// Of a user who exists: refused, and not held once the operator said it.
		require.Equal(t, map[string]string{"user_living": "refused"}, env.request(t, 1, "--external-id", "user_living"))
		require.Empty(t, env.bridge(t, 0, "deletions", "list", "--external-id", "user_living", "--json"))
		env.request(t, 0, "--external-id", "user_living", "--although-the-user-exists")
		env.waitDeleted(t, []string{"user_living"}, 30*time.Second)

		// Twice, and beside webhooks for the same person, before and after.
		require.Equal(t, map[string]string{"user_team": "left_alone"}, env.request(t, 0, "--external-id", "user_team"))
		env.bridge(t, 0, "deletions", "pause")
		p.deliver(t, sign(t, "clerk", "msg_before", "user_hooked"), http.StatusAccepted)
		require.Equal(t, map[string]string{"user_hooked": "left_alone"}, env.request(t, 0, "--external-id", "user_hooked"))
		require.Equal(t, map[string]string{"user_paused": "requested"}, env.request(t, 0, "--external-id", "user_paused"))
		p.deliver(t, sign(t, "clerk", "msg_after", "user_paused"), http.StatusAccepted)
		require.True(t, env.polar.Exists("user_paused"), "a pause holds for requests as well")
		env.bridge(t, 0, "deletions", "resume")
		env.waitDeleted(t, []string{"user_hooked", "user_paused"}, 30*time.Second)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
		require.Equal(t, 4, env.committed(), "nobody twice")
		require.True(t, env.polar.Exists("user_team"))
		require.Equal(t, map[string][]string{
			"user_gone": {"operator"}, "user_unknown": {"operator"}, "user_living": {"operator"}, "user_hooked": {"webhook"}, "user_paused": {"operator", "webhook"},
		}, env.exportedSources(t))
	})
}

// exportedSources are what told of each finished deletion, in the order of acceptance.
func (env *environment) exportedSources(t *testing.T) map[string][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(env.bridge(t, 0, "deletions", "export"))).ReadAll()
	require.NoError(t, err)
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	sources := map[string][]string{}
	for _, row := range rows[1:] {
		id := row[column["external_id"]]
		sources[id] = append(sources[id], row[column["source"]])
	}
	return sources
}

// The provider is asked again right before the deletion.
func TestAUserWhoIsBackBeforeARequestIsCarriedOutIsNotDeleted(t *testing.T) {
	t.Parallel()
	env, c := withClerk(t, databasetest.SQLite(t), "LOG_LEVEL=debug")
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_back", CreatedAt: longAgo()})
	p := env.start(t)
	env.bridge(t, 0, "deletions", "pause")
	env.request(t, 0, "--external-id", "user_back")
	c.AddUser("user_back")
	env.bridge(t, 0, "deletions", "resume")
	require.Eventually(t, func() bool { return strings.Contains(p.output(), "user_still_there") }, patience, 20*time.Millisecond)
	require.True(t, env.polar.Exists("user_back"))
	c.DeleteUser("user_back")
	env.bridge(t, 0, "deletions", "retry", fmt.Sprint(env.deletion(t, "user_back", "waiting").ID))
	env.waitDeleted(t, []string{"user_back"}, 30*time.Second)
}

func TestRequestsFromAFileMeetTheHourlyLimit(t *testing.T) {
	t.Parallel()
	const many, existing = 500, 3
	env, c := withClerk(t, databasetest.SQLite(t), "MAX_DELETIONS_PER_HOUR=100", "VERIFY_AFTER=0s")
	ids := env.addCustomers(many)
	for _, id := range ids[:existing] {
		c.AddUser(id)
	}
	file := filepath.Join(t.TempDir(), "ids.txt")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(ids, "\n")+"\n"), 0o600))
	p := env.start(t)
	results := env.request(t, 1, "--file", file)
	require.Len(t, results, many)
	for i, id := range ids {
		want := "requested"
		if i < existing {
			want = "refused"
		}
		require.Equal(t, want, results[id])
	}
	p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, many-existing-100, time.Minute)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
	require.Equal(t, 100, env.committed())
	for id, result := range env.request(t, 1, "--file", file) { // those that are done are requested again, and not found
		if env.polar.Exists(id) {
			require.NotEqual(t, "requested", result, id)
		}
	}

	env.bridge(t, 0, "deletions", "approve", "--reason", "mass_deletion", "--yes")
	env.waitDeleted(t, ids[existing:], time.Minute)
	require.Equal(t, many-existing, env.committed())
	for _, id := range ids[:existing] {
		require.True(t, env.polar.Exists(id))
	}
}

func TestARequestIsRefusedForAnotherOrganization(t *testing.T) {
	t.Parallel()
	env, _ := withClerk(t, databasetest.Postgres(t))
	env.addCustomers(1)
	env.start(t)
	other := env.elsewhere(t)
	other.polar.AddCustomer(polartest.Customer{ExternalID: "user_0000", CreatedAt: longAgo()})
	other.request(t, 1, "--external-id", "user_0000")
	require.Empty(t, env.bridge(t, 0, "deletions", "list", "--json"))
}
