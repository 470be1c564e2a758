package e2e_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// proofs are the export's rows by external id.
func (env *environment) proofs(t *testing.T) map[string]map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(env.bridge(t, 0, "deletions", "export"))).ReadAll()
	require.NoError(t, err)
	found := map[string]map[string]string{}
	for _, cells := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = cells[i]
		}
		found[row["external_id"]] = row
	}
	return found
}

// failing runs a command that must fail, and returns what it says.
func (env *environment) failing(t *testing.T, args ...string) string {
	t.Helper()
	said, err := env.command(t, args...).CombinedOutput()
	require.Error(t, err, "%s", said)
	return string(said)
}

func verifications(outcome string) string {
	return fmt.Sprintf(`polar_bridge_verifications_total{outcome=%q,provider="clerk"}`, outcome)
}

func TestASubscriptionThatStaysActiveIsFound(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const ends, stays = "user_ends", "user_stays"
		messages := make(chan string, 10)
		channel := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			messages <- string(body)
		}))
		t.Cleanup(channel.Close)
		env := newEnvironment(t, database, "VERIFY_AFTER=1s", "NOTIFY_URL="+channel.URL)
		env.polar.AddCustomer(polartest.Customer{ExternalID: ends, CreatedAt: longAgo(), ActiveSubscriptions: 1})
		customer := env.polar.AddCustomer(polartest.Customer{ExternalID: stays, CreatedAt: longAgo(), ActiveSubscriptions: 1, KeepSubscriptions: true}).ID
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_1", ends), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_2", stays), http.StatusAccepted)
		p.waitMetric(t, verifications("gone"), 1, 30*time.Second)
		p.waitMetric(t, verifications("subscription_active"), 1, 3*time.Minute) // it is asked again for a while
		p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 1, 30*time.Second)
		p.says(t, "a subscription of the deleted customer is still active")
		require.Contains(t, <-messages, "1 held for a human (1 subscription_active)")

		found := env.deletion(t, stays, "reappeared")
		require.Equal(t, "deleted", found.Outcome)
		id := strconv.FormatInt(found.ID, 10)
		require.Regexp(t, stays+` +deleted, subscription_active `, env.bridge(t, 0, "deletions", "list", "--state", "reappeared"))
		shown := env.bridge(t, 0, "deletions", "show", id)
		require.Regexp(t, `(?m)^customer id +`+customer+`$`, shown)
		require.Regexp(t, `(?m)^verification +nobody was found, but a subscription was still active`, shown)
		require.Contains(t, env.failing(t, "deletions", "approve", id), "a subscription of the customer is still active: approving would delete nobody")
		require.Contains(t, env.failing(t, "deletions", "redo", id, "--because", "x"), "acknowledge it")

		require.Contains(t, env.bridge(t, 0, "deletions", "acknowledge", id), "nobody is deleted")
		p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 0, 30*time.Second)
		proofs := env.proofs(t)
		require.Equal(t, []string{"gone", "yes"}, []string{proofs[ends]["verification"], proofs[ends]["subscriptions_ended"]})
		require.Equal(t, []string{"subscription_active", "no"}, []string{proofs[stays]["verification"], proofs[stays]["subscriptions_ended"]})
		require.Equal(t, 2, env.deletes())
	})
}

func TestATokenThatMayNotSeeSubscriptionsChangesNothing(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const customers = 6
		env := newEnvironment(t, database, "VERIFY_AFTER=1s")
		env.polar.AllowToken(polarToken, polartest.TokenWriteOnly)
		ids := env.addCustomers(customers)
		p := env.start(t)
		for i, id := range ids {
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
		}
		p.waitMetric(t, verifications("gone"), customers, time.Minute)
		require.Equal(t, 1, env.polar.CallsOf(polartest.OperationSubscriptions), "what the token may not see is learned once")
		require.Equal(t, 2*customers, env.polar.CallsOf(polartest.OperationGet))
		require.Equal(t, customers, env.deletes())
		require.Len(t, env.journal(), 3*customers+1)

		output := p.output()
		require.Equal(t, 1, strings.Count(output, "the token lacks the scope subscriptions:read"))
		require.NotContains(t, output, `"level":"error"`)
		require.NotContains(t, output, "postponed", "nobody is paused")
		require.InDelta(t, 0, p.metric(t, `polar_bridge_deletions_pending{state="reappeared"}`), 0)
		for id, proof := range env.proofs(t) {
			require.Equal(t, []string{"deleted", "gone", "not asked", ""},
				[]string{proof["outcome"], proof["verification"], proof["subscriptions_ended"], proof["active_subscriptions"]}, id)
		}
	})
}

func TestWhatWasLostStaysOnTheRow(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const first, told, untold = "user_first", "user_told", "user_untold"
		env := newEnvironment(t, database, "RECORD_LOSS=true", "MAX_DELETIONS_PER_HOUR=1", "VERIFY_AFTER=0s")
		for i, id := range []string{first, told, untold} {
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo(), ActiveSubscriptions: 1 + i, GrantedBenefits: i})
		}
		env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
			if e.Operation == polartest.OperationState && e.ExternalID == untold {
				return polartest.Gateway(http.StatusServiceUnavailable)
			}
			return polartest.Fault{}
		})
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_1", first), http.StatusAccepted)
		env.waitDeleted(t, []string{first}, 30*time.Second)
		p.deliver(t, sign(t, "clerk", "msg_2", told), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_3", untold), http.StatusAccepted)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, 2, 30*time.Second)
		p.says(t, `"customer_found":true,"active_subscriptions":1,"granted_benefits":0`)

		shown := env.bridge(t, 0, "deletions", "show", strconv.FormatInt(env.deletion(t, told, "held").ID, 10))
		require.Regexp(t, `(?m)^subscriptions +2$`, shown)
		require.Regexp(t, `(?m)^benefits +1$`, shown)
		require.Contains(t, env.failing(t, "deletions", "approve", "--reason", "mass_deletion"),
			"Approve 2 deletions; their customers will be deleted at Polar for good, and with them 2 active subscriptions and 1 benefit (not known for 1): add --yes")
		env.bridge(t, 0, "deletions", "approve", "--reason", "mass_deletion", "--yes")
		env.waitDeleted(t, []string{told, untold}, 30*time.Second)
		env.deletion(t, told, "done")
		env.deletion(t, untold, "done")

		proofs := env.proofs(t)
		for id, want := range map[string][]string{first: {"1", "0"}, told: {"2", "1"}, untold: {"", ""}} {
			require.Equal(t, want, []string{proofs[id]["active_subscriptions"], proofs[id]["granted_benefits"]}, id)
			require.Equal(t, "deleted", proofs[id]["outcome"])
		}
		require.Equal(t, 5, env.polar.CallsOf(polartest.OperationState), "one more for each attempt")
		require.Len(t, env.journal(), 5+5+3)
		require.NotContains(t, shown+env.bridge(t, 0, "deletions", "list", "--json"), "@example.com")
	})
}
