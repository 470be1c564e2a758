package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// longAgo is before any event that a provider may be late with.
func longAgo() time.Time { return time.Now().AddDate(0, -2, 0) }

// addCustomers adds customers who are older than the events about them.
func (env *environment) addCustomers(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user_%04d", i)
		env.polar.AddCustomer(polartest.Customer{ExternalID: ids[i], CreatedAt: longAgo()})
	}
	return ids
}

// deletes are the DELETEs that reached Polar; looks come on top of them.
// journal is what Polar was asked about customers. That a new token's organization
// is looked up in the list, once, is left out.
func (env *environment) journal() []polartest.Entry {
	return slices.DeleteFunc(env.polar.Journal(), func(e polartest.Entry) bool { return e.Operation == polartest.OperationList })
}

func (env *environment) calls() int { return len(env.journal()) }

// waitForCalls waits until Polar was asked so often.
func (env *environment) waitForCalls(t *testing.T, n int, why ...any) {
	t.Helper()
	require.Eventually(t, func() bool { return env.calls() >= n }, time.Minute, 5*time.Millisecond, why...)
}

func (env *environment) deletes() int { return env.polar.CallsOf(polartest.OperationDelete) }

// waitDeleted waits until Polar has deleted all of them and requires that it
// deleted none twice.
func (env *environment) waitDeleted(t *testing.T, ids []string, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), max(within, patience))
	defer cancel()
	for _, id := range ids {
		require.NoError(t, env.polar.WaitForDeleted(ctx, id), "%s was not deleted within %s", id, within)
		require.Equal(t, 1, env.polar.Deleted(id), id)
	}
}

func TestKilledBetweenAcknowledgementAndDELETE(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(5)
		p := env.start(t)

		// The first one meets a 429: from then on nobody may ask Polar.
		env.polar.FailNext(1, polartest.RateLimited(3*time.Second))
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		env.waitForCalls(t, 1)
		for i, id := range ids[1:] {
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i+1), id), http.StatusAccepted)
		}
		p.kill()
		require.Equal(t, 1, env.calls())

		env.start(t)
		env.waitDeleted(t, ids, 90*time.Second)
	})
}

func TestKilledBetweenDELETEAndCompletion(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(1)
		p := env.start(t)

		env.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Hang().AfterCommit())
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		require.NoError(t, env.polar.WaitForDeleted(t.Context(), ids[0]))
		p.kill()

		next := env.start(t)
		next.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 90*time.Second)
		next.says(t, `"confirmed_by":"retry"`)
		require.Equal(t, 1, env.polar.Deleted(ids[0]))
		require.Equal(t, 2, env.deletes())
	})
}

func TestAThousandEventsThroughAFlappingPolarAndTenKills(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "POLAR_CONCURRENCY=8", "POLAR_TIMEOUT=1s")
	const events, kills = 1000, 10
	ids := env.addCustomers(events)
	env.polar.SetFaultFunc(flapping())

	var current atomic.Pointer[process]
	current.Store(env.start(t))
	var accepted atomic.Int64
	work := make(chan int)
	var senders sync.WaitGroup
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for range 8 {
		senders.Go(func() {
			for i := range work {
				d := sign(t, "clerk", fmt.Sprint("msg_", i), ids[i])
				for t.Context().Err() == nil { // as the provider does, until it hears 2xx
					if status, _ := current.Load().post(t.Context(), client, d); status/100 == 2 {
						accepted.Add(1)
						break
					}
				}
			}
		})
	}
	for i := range events {
		work <- i
		if i%(events/kills) == events/kills/2 {
			current.Load().kill()
			current.Store(env.start(t))
		}
	}
	close(work)
	senders.Wait()
	require.EqualValues(t, events, accepted.Load())
	env.waitDeleted(t, ids, 3*time.Minute)

	last := current.Load()
	last.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 3*time.Minute)
	require.Zero(t, last.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	last.noSecrets(t)
	t.Logf("%d calls, %d of them DELETEs, for %d deletions", env.calls(), env.deletes(), events)
}

// flapping breaks about a quarter of the DELETEs, in all the ways that Polar
// has, and now and then a look before them.
func flapping() func(polartest.Entry) polartest.Fault {
	var looks, deletes int // guarded by the Server, which asks one call at a time
	return func(e polartest.Entry) polartest.Fault {
		if e.Operation != polartest.OperationDelete {
			if looks++; looks%20 == 3 {
				return polartest.InternalError()
			}
			return polartest.Fault{}
		}
		deletes++
		switch deletes % 20 {
		case 2:
			return polartest.InternalError()
		case 5:
			return polartest.ResetBeforeCommit()
		case 7:
			return polartest.ResetAfterCommit()
		case 11:
			return polartest.Gateway(520)
		case 17:
			return polartest.Gateway(520).AfterCommit()
		}
		if deletes%200 == 13 {
			return polartest.RateLimited(time.Second)
		}
		return polartest.Fault{}
	}
}

func TestFortyEventsInFiveSimultaneousCopiesAreFortyDELETEs(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(40)
		p := env.start(t)
		var copies sync.WaitGroup
		for i, id := range ids {
			d := sign(t, "clerk", fmt.Sprint("msg_", i), id)
			for range 5 {
				copies.Go(func() {
					if status, text := p.post(t.Context(), http.DefaultClient, d); status/100 != 2 {
						t.Errorf("%d %s", status, text)
					}
				})
			}
		}
		copies.Wait()
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 40, 30*time.Second)
		env.waitDeleted(t, ids, time.Second)
		require.Equal(t, 40, env.deletes())
		require.InDelta(t, 160, p.metric(t, `polar_bridge_events_total{outcome="duplicate",provider="clerk"}`), 0)
	})
}

func TestUnderA429EverybodyWaits(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(20)
	p := env.start(t)
	const wait = 8 * time.Second
	began := time.Now()
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Time.Sub(began) < wait {
			return polartest.RateLimited(wait)
		}
		return polartest.Fault{}
	})
	for i, id := range ids {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	env.waitDeleted(t, ids, 40*time.Second)
	early := 0
	for _, call := range env.journal() {
		if call.Time.Sub(began) < 7500*time.Millisecond {
			early++
		}
	}
	require.LessOrEqual(t, early, 5)
	t.Logf("%d calls in the first 7.5 s", early)
}
