package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// approve lets the held deletion of the customer pass, as soon as it is held: the
// log and the metric may be a little earlier.
func (env *environment) approve(t *testing.T, externalID string) {
	t.Helper()
	env.bridge(t, 0, "deletions", "approve", strconv.FormatInt(env.deletion(t, externalID, "held").ID, 10))
}

// committed is how many customers Polar has deleted.
func (env *environment) committed() int {
	n := 0
	for _, call := range env.journal() {
		if call.Committed {
			n++
		}
	}
	return n
}

func held(provider, reason string) string {
	return fmt.Sprintf(`polar_bridge_deletions_held_total{provider=%q,reason=%q}`, provider, reason)
}

func TestAReplayedDeletionOfARecreatedCustomerNeverReachesDELETE(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: time.Now().Add(-24 * time.Hour)})
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_2", CreatedAt: time.Now().Add(-96 * time.Hour)})
		p := env.start(t)
		// Sent again by the provider: the signature is of now, the event is not.
		replayed := func(eventID, externalID string) delivery {
			body := fmt.Sprintf(`{"type":"user.deleted","timestamp":%d,"data":{"object":"user","deleted":true,"id":%q}}`,
				time.Now().Add(-72*time.Hour).UnixMilli(), externalID)
			return signBody(t, eventID, body, time.Now())
		}
		p.deliver(t, replayed("msg_1", "user_1"), http.StatusAccepted)
		p.waitMetric(t, held("clerk", "recreated"), 1, 20*time.Second)
		// It is the guard that holds it: a customer who was there before goes.
		p.deliver(t, replayed("msg_2", "user_2"), http.StatusAccepted)
		env.waitDeleted(t, []string{"user_2"}, 20*time.Second)
		require.Equal(t, 1, env.deletes())
		require.True(t, env.polar.Exists("user_1"))
		p.says(t, `"reason":"recreated"`)

		env.approve(t, "user_1")
		env.waitDeleted(t, []string{"user_1"}, 20*time.Second)
	})
}

func TestATeamsCustomerIsHeldUntilSomebodyApproves(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team", CreatedAt: longAgo(), Members: []string{"m"}})
	p := env.start(t)
	p.deliver(t, sign(t, "auth0", "evt_1", "user_1"), http.StatusAccepted)
	p.waitMetric(t, held("auth0", "team"), 1, 20*time.Second)
	require.Zero(t, env.deletes())
	env.approve(t, "user_1")
	env.waitDeleted(t, []string{"user_1"}, 20*time.Second)
}

// flood sends a deletion of each customer, whoever of the servers takes it.
type flood struct {
	servers  []*atomic.Pointer[process]
	accepted atomic.Int64
	senders  sync.WaitGroup
}

func (f *flood) run(t *testing.T, ids []string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	work := make(chan int, len(ids))
	for i := range ids {
		work <- i
	}
	close(work)
	for range 16 {
		f.senders.Go(func() {
			for i := range work {
				d := sign(t, "clerk", fmt.Sprint("msg_", i), ids[i])
				for try := 0; t.Context().Err() == nil; try++ { // as the provider does, until it hears 2xx
					if status, _ := f.servers[(i+try)%len(f.servers)].Load().post(t.Context(), client, d); status/100 == 2 {
						f.accepted.Add(1)
						break
					}
				}
			}
		})
	}
}

// A stolen signing secret: ten thousand deletions of customers, all of them
// valid, while the servers are killed.
func TestTenThousandValidDeletionsDeleteNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const events, limit = 10_000, 100
		env := newEnvironment(t, database, fmt.Sprint("MAX_DELETIONS_PER_HOUR=", limit), "POLAR_CONCURRENCY=16", "POLAR_TIMEOUT=2s")
		ids := env.addCustomers(events)
		// Kills find deletions under way, and some answers are lost.
		env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
			switch {
			case e.Operation != polartest.OperationDelete:
				return polartest.Fault{}
			case e.Seq%7 == 0:
				return polartest.ResetAfterCommit()
			case e.Seq%11 == 0:
				return polartest.ResetBeforeCommit()
			}
			return polartest.Slow(50 * time.Millisecond).AfterCommit()
		})
		replicas := 1
		if !strings.HasPrefix(database, "sqlite:") {
			replicas = 2
		}
		f := flood{}
		for range replicas {
			server := &atomic.Pointer[process]{}
			server.Store(env.start(t))
			f.servers = append(f.servers, server)
		}
		began := time.Now()
		f.run(t, ids)
		for kill, looks := range []int{30, 90, 600} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			require.NoError(t, env.polar.WaitForCallsOf(ctx, polartest.OperationGet, looks))
			cancel()
			victim := f.servers[kill%replicas]
			victim.Load().kill()
			victim.Store(env.start(t))
		}
		f.senders.Wait()
		require.EqualValues(t, events, f.accepted.Load())
		sent := time.Since(began)

		last := f.servers[0].Load()
		last.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, events-limit, 4*time.Minute)
		last.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 2*time.Minute)
		require.Equal(t, limit, env.committed(), "not one more, and none of the places lost")
		t.Logf("%d sent in %s, all decided after %s: %d deleted with %d DELETEs, %d looks",
			events, sent.Round(time.Second), time.Since(began).Round(time.Second), env.committed(), env.deletes(), env.polar.CallsOf(polartest.OperationGet))
	})
}

func TestWhatWasApprovedIsDeletedAtTheRateLimit(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const customers, limit, perMinute, burst = 60, 20, 1200, 10
		env := newEnvironment(t, database, fmt.Sprint("MAX_DELETIONS_PER_HOUR=", limit), fmt.Sprint("POLAR_RATE_LIMIT=", perMinute))
		ids := env.addCustomers(customers)
		p := env.start(t)
		for i, id := range ids {
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
		}
		p.waitMetric(t, held("clerk", "mass_deletion"), customers-limit, time.Minute)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, customers-limit, time.Minute) // on disk, too
		require.Equal(t, limit, env.committed())

		before := env.calls()
		env.bridge(t, 0, "deletions", "approve", "--all", "--yes")
		env.waitDeleted(t, ids, time.Minute)
		calls := env.journal()[before:]
		require.Len(t, calls, 2*(customers-limit), "each is looked at again")
		interval := time.Minute / perMinute
		for i := range calls {
			for j := i + burst; j < len(calls); j++ {
				least := time.Duration(j-i-burst)*interval - 100*time.Millisecond // journals and limiters have clocks of their own
				require.GreaterOrEqual(t, calls[j].Time.Sub(calls[i].Time), least, "calls %d to %d", i, j)
			}
		}
	})
}

func TestACustomerWhoComesBackAfterTheDeletionIsFound(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database, "VERIFY_AFTER=2s")
		ids := env.addCustomers(2)
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_1", ids[1]), http.StatusAccepted)
		env.waitDeleted(t, ids, 20*time.Second)
		// A checkout that was open before creates the customer again.
		env.polar.AddCustomer(polartest.Customer{ExternalID: ids[0], ActiveSubscriptions: 1})
		p.waitMetric(t, `polar_bridge_verifications_total{outcome="found",provider="clerk"}`, 1, 30*time.Second)
		p.waitMetric(t, `polar_bridge_verifications_total{outcome="gone",provider="clerk"}`, 1, 30*time.Second)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 1, 30*time.Second)
		p.says(t, "customer reappeared after the deletion")
		require.True(t, env.polar.Exists(ids[0]))
		require.Equal(t, 2, env.deletes())

		id := strconv.FormatInt(env.deletion(t, ids[0], "reappeared").ID, 10)
		said, err := env.command(t, "deletions", "approve", id).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(said), "acknowledge it", "approving would delete nobody")
		env.bridge(t, 1, "deletions", "retry", id)
		env.bridge(t, 0, "deletions", "acknowledge", id)
		env.deletion(t, ids[0], "done")
		p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 0, 30*time.Second)
		require.True(t, env.polar.Exists(ids[0]), "acknowledging deletes nobody")
		require.Equal(t, 2, env.deletes())
	})
}

func TestAVerificationSurvivesAKill(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database, "VERIFY_AFTER=3s")
		ids := env.addCustomers(1)
		p := env.start(t)
		env.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Hang().AfterCommit())
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		env.waitDeleted(t, ids, 20*time.Second)
		p.kill()
		next := env.start(t)
		next.waitMetric(t, `polar_bridge_verifications_total{outcome="gone",provider="clerk"}`, 1, 90*time.Second)
		require.InDelta(t, 1, next.metric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`), 0)
	})
}

func TestAGracePeriodIsWaitedForAndLeavesTimeToCancel(t *testing.T) {
	t.Parallel()
	const grace = 20 * time.Second
	env := newEnvironment(t, databasetest.SQLite(t), "GRACE_PERIOD="+grace.String())
	ids := env.addCustomers(2)
	p := env.start(t)
	began := time.Now()
	for i, id := range ids {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	unwanted := strconv.FormatInt(env.deletion(t, ids[1], "waiting").ID, 10)
	env.bridge(t, 0, "deletions", "cancel", unwanted, "--because", "the user has changed their mind")
	env.waitDeleted(t, ids[:1], 30*time.Second)
	calls := env.journal()
	require.GreaterOrEqual(t, calls[0].Time.Sub(began), grace-50*time.Millisecond)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 20*time.Second)
	require.True(t, env.polar.Exists(ids[1]))
	require.Equal(t, 1, env.deletes())
}

func TestADryRunDeletesNobodyAndSaysWhatWouldBeLost(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "DRY_RUN=true")
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: longAgo(), ActiveSubscriptions: 2, GrantedBenefits: 3})
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)
	p.deliver(t, sign(t, "clerk", "msg_2", "user_2"), http.StatusAccepted)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="dry_run",provider="clerk"}`, 2, 20*time.Second)
	p.says(t, `"customer_found":true,"active_subscriptions":2,"granted_benefits":3`)
	p.says(t, `"customer_found":false,"active_subscriptions":0,"granted_benefits":0`)
	require.Zero(t, env.deletes())
	require.True(t, env.polar.Exists("user_1"))
}

// noLook answers as a Polar that has no such look.
func noLook(e polartest.Entry) polartest.Fault {
	if e.Operation == polartest.OperationGet {
		return polartest.Status(http.StatusMethodNotAllowed, "application/json", `{"detail":"Method Not Allowed"}`)
	}
	return polartest.Fault{}
}

// requireBlind waits until the guards' gauges say so.
func (p *process) requireBlind(t *testing.T, want float64) {
	t.Helper()
	for _, guard := range []string{"team", "recreated"} {
		p.waitMetric(t, fmt.Sprintf(`polar_bridge_guards_blind{guard=%q}`, guard), want, 20*time.Second)
	}
}

func TestALookThatIsImpossibleStopsNoDeletionAndIsNoSecret(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(6)
	last := ids[5]
	ids = ids[:5]
	env.polar.SetFaultFunc(noLook)
	p := env.start(t)
	p.requireBlind(t, 0)
	for i, id := range ids {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	env.waitDeleted(t, ids, 30*time.Second)
	require.Equal(t, len(ids), env.deletes())
	require.Equal(t, 1, strings.Count(p.output(), "customers cannot be looked up"), "said once")
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, float64(len(ids)), 10*time.Second)
	require.Equal(t, len(ids), strings.Count(p.output(), `"guards_blind":true`), "each says that nobody looked")
	p.requireBlind(t, 1)
	env.polar.ClearFaults()
	p.deliver(t, sign(t, "clerk", "msg_last", last), http.StatusAccepted)
	env.waitDeleted(t, []string{last}, 20*time.Second)
	p.requireBlind(t, 0)
	require.Equal(t, len(ids), strings.Count(p.output(), `"guards_blind":true`))
}

func TestDeletionsThatNobodyCanLookAtAreHeldWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "GUARDS_BLIND=hold")
	ids := env.addCustomers(1)
	env.polar.AddCustomer(polartest.Customer{ExternalID: "team", Type: "team", CreatedAt: longAgo()})
	env.polar.SetFaultFunc(noLook)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_1", ids[0]), http.StatusAccepted)
	p.deliver(t, sign(t, "clerk", "msg_2", "team"), http.StatusAccepted)
	p.waitMetric(t, held("clerk", "unexpected"), 2, 20*time.Second)
	p.requireBlind(t, 1)
	require.Zero(t, env.deletes())

	env.polar.ClearFaults()
	for _, id := range []string{ids[0], "team"} {
		env.bridge(t, 0, "deletions", "retry", strconv.FormatInt(env.deletion(t, id, "held").ID, 10))
	}
	env.waitDeleted(t, ids, 20*time.Second)
	p.waitMetric(t, held("clerk", "team"), 1, 20*time.Second)
	p.requireBlind(t, 0)
	require.True(t, env.polar.Exists("team"), "all guards look again")
}
