package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// deleteByHand deletes a customer as somebody in Polar's dashboard does.
func (env *environment) deleteByHand(t *testing.T, externalID string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, env.polar.URL().String()+"/v1/customers/external/"+externalID, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+polarToken)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNoContent, response.StatusCode)
}

// shown is what `deletions show` says of one.
func (env *environment) shown(t *testing.T, id int64) map[string]any {
	t.Helper()
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(env.bridge(t, 0, "deletions", "show", strconv.FormatInt(id, 10), "--json")), &record))
	return record
}

// An approval is a decision about one customer. While it waits to be carried out,
// somebody else may get the same external id.
func TestAnApprovalIsForTheCustomerThatItWasGivenFor(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		first := env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team", CreatedAt: longAgo()})
		p := env.start(t)
		p.deliver(t, sign(t, "auth0", "evt_1", "user_1"), http.StatusAccepted)
		held := env.deletion(t, "user_1", "held")
		require.Equal(t, "team", held.HoldReason)

		env.bridge(t, 0, "deletions", "pause")
		env.bridge(t, 0, "deletions", "approve", strconv.FormatInt(held.ID, 10))
		env.deleteByHand(t, "user_1")
		second := env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team", CreatedAt: longAgo()})
		require.NotEqual(t, first.ID, second.ID)
		env.bridge(t, 0, "deletions", "resume")

		again := env.deletion(t, "user_1", "held")
		require.Equal(t, "team", again.HoldReason, "the approval was for %s", first.ID)
		require.True(t, env.polar.Exists("user_1"))
		require.Equal(t, second.ID, env.shown(t, held.ID)["customer_id"])
		env.bridge(t, 0, "deletions", "approve", strconv.FormatInt(held.ID, 10))
		require.Equal(t, "deleted", env.deletion(t, "user_1", "done").Outcome)
		require.False(t, env.polar.Exists("user_1"))
	})
}

// What was sent is waited for, and what Polar answers is what the row says.
func TestADeleteOnItsWayCannotBeCancelled(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(1)
		answer := make(chan struct{})
		answering := sync.OnceFunc(func() { close(answer) })
		defer answering()
		env.polar.OnDelete(func(polartest.Entry) { <-answer })
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		require.NoError(t, env.polar.WaitForCallsOf(t.Context(), polartest.OperationDelete, 1))
		<-time.After(1500 * time.Millisecond)

		id := env.deletion(t, ids[0], "waiting").ID
		cancel := env.command(t, "deletions", "cancel", strconv.FormatInt(id, 10), "--because", "a mistake")
		var said bytes.Buffer
		cancel.Stderr = &said
		require.Error(t, cancel.Run())
		require.Contains(t, said.String(), "is on its way")
		answering()

		done := env.deletion(t, ids[0], "done")
		require.Equal(t, "deleted", done.Outcome)
		require.Equal(t, 1, done.Attempts)
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 10*time.Second)
		require.Zero(t, p.metric(t, `polar_bridge_deletions_total{outcome="cancelled",provider="clerk"}`))
		require.Equal(t, 1, strings.Count(p.output(), `"msg":"deletion finished"`))
		require.Contains(t, env.bridge(t, 0, "deletions", "export", "--since", "1h"), ",deleted,")
	})
}

// Between two attempts nothing is on its way, but an earlier request may have been
// done: cancel says so.
func TestACancelSaysThatAnEarlierRequestMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(1)
	sent := false // guarded by the Server, which asks one call at a time
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		switch {
		case e.Operation == polartest.OperationDelete:
			sent = true
			return polartest.ResetAfterCommit()
		case sent: // the next attempt looks first, and waits
			return polartest.RateLimited(10 * time.Minute)
		}
		return polartest.Fault{}
	})
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
	p.says(t, "deletion retried")
	env.bridge(t, 0, "deletions", "pause")
	waits := env.deletion(t, ids[0], "waiting")
	require.Equal(t, 1, waits.Attempts)
	said := env.bridge(t, 0, "deletions", "cancel", fmt.Sprint(waits.ID), "--because", "a mistake")
	require.Contains(t, said, "an earlier request whose answer was lost may have deleted the customer")
}
