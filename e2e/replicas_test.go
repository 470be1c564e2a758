package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// fleet is replicas behind a load balancer.
type fleet struct {
	mu   sync.Mutex
	live []*process
	turn int
}

func (f *fleet) add(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live = append(f.live, p)
}

// takeOldest returns the replica that got its last request.
func (f *fleet) takeOldest() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := f.live[0]
	f.live = f.live[1:]
	return oldest
}

func (f *fleet) next() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn++
	return f.live[f.turn%len(f.live)]
}

func TestRollingRestartsUnderLoadAreNotNoticed(t *testing.T) {
	t.Parallel()
	const restarts, senders = 6, 4
	env := newEnvironment(t, databasetest.Postgres(t), "SHUTDOWN_DELAY=1s")
	env.polar.SetFault(polartest.Slow(10 * time.Millisecond))
	began, ids := time.Now(), env.addCustomers(10_000)
	var replicas fleet
	for range 3 {
		replicas.add(env.start(t))
	}
	var sent, refused atomic.Int64
	done := make(chan struct{})
	client := &http.Client{Timeout: 10 * time.Second}
	var load sync.WaitGroup
	for range senders {
		load.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				i := int(sent.Add(1)) - 1
				d := sign(t, "clerk", fmt.Sprint("msg_", i), ids[i])
				for t.Context().Err() == nil { // as the provider does, until it hears 2xx
					began := time.Now()
					status, text := replicas.next().post(t.Context(), client, d)
					if status/100 == 2 {
						break
					}
					if stoodStill(began, time.Now()) == 0 { // else the replica may be gone
						refused.Add(1)
						t.Errorf("%d %s", status, text)
					}
				}
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		})
	}
	for range restarts {
		replicas.add(env.start(t))
		require.Zero(t, replicas.takeOldest().terminate(t))
	}
	close(done)
	load.Wait()
	all := ids[:sent.Load()]
	require.Greater(t, len(all), 100*restarts/3, "too little load for this to prove anything")
	env.waitDeleted(t, all, 2*time.Minute)
	replicas.next().waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
	require.True(t, len(all) == env.deletes() || stoodStill(began, time.Now()) > 0, "a graceful stop breaks no call off: %d for %d", env.deletes(), len(all))
	t.Logf("%d events, %d of them refused, through %d restarts; %d DELETEs", len(all), refused.Load(), restarts, env.deletes())
}

func TestTheJobsOfAKilledReplicaArePickedUpWithinAMinute(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.Postgres(t), "POLAR_TIMEOUT=5s")
	ids := env.addCustomers(8)
	killed, left := env.start(t), env.start(t)
	env.polar.SetFault(polartest.Hang())
	for i, id := range ids {
		left.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	env.waitForCalls(t, 8, "four by each")
	killed.kill()
	began := time.Now()
	env.polar.ClearFaults()
	env.waitDeleted(t, ids, 2*time.Minute)
	took := ran(began)
	t.Logf("all deleted %s after the kill", took.Round(time.Second))
	require.LessOrEqual(t, took, time.Minute)
}

func TestCopiesOnTwoReplicasAreDeletedOnce(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.Postgres(t))
	ids := env.addCustomers(20)
	replicas := []*process{env.start(t), env.start(t)}
	var copies sync.WaitGroup
	var accepted atomic.Int64
	for i, id := range ids {
		d := sign(t, "clerk", fmt.Sprint("msg_", i), id)
		for each := range 6 {
			copies.Go(func() {
				status, text := replicas[each%2].post(t.Context(), http.DefaultClient, d)
				switch status {
				case http.StatusAccepted:
					accepted.Add(1)
				case http.StatusOK:
				default:
					t.Errorf("%d %s", status, text)
				}
			})
		}
	}
	copies.Wait()
	require.EqualValues(t, len(ids), accepted.Load())
	env.waitDeleted(t, ids, 30*time.Second)
	replicas[0].waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
	require.Equal(t, len(ids), env.deletes())
}

// The database is away in three ways: it crashes, the network breaks
// connections off, and the network swallows everything.
func TestWhileTheDatabaseIsAwayTheAnswerIs503AndNothingIsLost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		begin, end func(t *testing.T, server *databasetest.Server, network *wire)
	}{
		{
			"server crashes",
			func(t *testing.T, server *databasetest.Server, _ *wire) { t.Helper(); server.Stop(t) },
			func(t *testing.T, server *databasetest.Server, _ *wire) { t.Helper(); server.Start(t) },
		},
		{
			"network is cut",
			func(_ *testing.T, _ *databasetest.Server, network *wire) { network.setCut(true) },
			func(_ *testing.T, _ *databasetest.Server, network *wire) { network.setCut(false) },
		},
		{
			"network swallows everything",
			func(_ *testing.T, _ *databasetest.Server, network *wire) { network.setStill(true) },
			func(_ *testing.T, _ *databasetest.Server, network *wire) { network.setStill(false) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := databasetest.NewServer(t)
			network := newWire(t, server.Address())
			env := newEnvironment(t, strings.Replace(server.URL(), server.Address(), network.address(), 1))
			env.polar.SetFault(polartest.Slow(50 * time.Millisecond)) // some are under way
			begin := func() { tt.begin(t, server, network) }
			env.testDatabaseAway(t, begin, func() { tt.end(t, server, network) })
		})
	}
}

func (env *environment) testDatabaseAway(t *testing.T, begin, end func()) {
	t.Helper()
	const events, lasts = 60, 12 * time.Second
	const promptly = 2500 * time.Millisecond // 2 s, and what a busy machine adds
	ids := env.addCustomers(events)
	event := func(i int) delivery { return sign(t, "clerk", fmt.Sprint("msg_", i), ids[i]) }
	replicas := []*process{env.start(t), env.start(t)}
	for i := range events / 2 {
		replicas[i%2].deliver(t, event(i), http.StatusAccepted)
	}
	begin()
	began, slowest := time.Now(), time.Duration(0)
	refused := events / 2
	for time.Since(began) < lasts && refused < events {
		asked := time.Now()
		status, retryAfter := replicas[refused%2].answer(t, event(refused))
		slowest = max(slowest, ran(asked))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "5", retryAfter)
		refused++
	}
	require.Less(t, slowest, promptly)
	for _, p := range replicas {
		require.Eventually(t, func() bool { return p.get(t, "/readyz") == http.StatusServiceUnavailable }, patience, 50*time.Millisecond)
		require.Equal(t, http.StatusOK, p.get(t, "/livez"), "a restart would not help")
	}
	end()
	ended := time.Now()
	for i := range events { // as the provider does
		require.Eventually(t, func() bool {
			status, _ := replicas[i%2].answer(t, event(i))
			return status/100 == 2
		}, patience, 100*time.Millisecond)
	}
	recovered := time.Since(ended)
	for _, p := range replicas {
		require.Eventually(t, func() bool { return p.get(t, "/readyz") == http.StatusOK }, patience, 50*time.Millisecond)
	}
	env.waitDeleted(t, ids, 90*time.Second)
	for _, p := range replicas {
		p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
		require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	}
	t.Logf("%d answers of 503, the slowest after %s; all known %s and all deleted %s after the end",
		refused-events/2, slowest.Round(time.Millisecond), recovered.Round(time.Millisecond), time.Since(ended).Round(time.Second))
}

func TestReplicasTogetherKeepTheRateLimitAndUseIt(t *testing.T) {
	t.Parallel()
	for _, replicas := range []int{1, 3} {
		t.Run(fmt.Sprint(replicas), func(t *testing.T) {
			t.Parallel()
			testRateLimit(t, replicas)
		})
	}
}

func testRateLimit(t *testing.T, replicas int) {
	t.Helper()
	const limit, burst, window, wait = 600, 10, time.Minute, 6 * time.Second
	env := newEnvironment(t, databasetest.Postgres(t), fmt.Sprint("POLAR_RATE_LIMIT=", limit))
	ids := env.addCustomers(450) // a look and a DELETE for each
	var all fleet
	for range replicas {
		all.add(env.start(t))
	}
	for i, id := range ids {
		all.next().deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	began := time.Now() // the burst is over
	<-time.After(window + time.Second)
	calls := env.journal()
	used, most, pause := 0, 0, time.Duration(0)
	for i, first := 0, 0; i < len(calls); i++ {
		if since := calls[i].Time.Sub(began); since >= 0 && since < window {
			used++
		}
		for calls[i].Time.Sub(calls[first].Time) >= window {
			first++
		}
		most = max(most, i-first+1)
		if i > 0 {
			pause = max(pause, calls[i].Time.Sub(calls[i-1].Time))
		}
	}
	t.Logf("%d replicas: %d calls in a minute of %d, %d in the fullest one, the longest gap %s", replicas, used, limit, most, pause)
	// While the machine stalls, calls are late and then come together.
	late := int((pause - time.Minute/limit).Minutes() * limit)
	require.LessOrEqual(t, most, limit+burst+late)
	lost := int(2 * stoodStill(began, began.Add(window)).Minutes() * limit) // who gave up meanwhile comes again later
	require.GreaterOrEqual(t, used, limit*98/100-lost)
	require.Greater(t, len(calls), limit+burst-lost, "enough for this to prove anything")

	refusal := polartest.RateLimited(wait)
	env.polar.FailNext(1, refusal)
	var limited time.Time
	require.Eventually(t, func() bool {
		for _, call := range env.journal() {
			if call.Fault == refusal.Name {
				limited = call.Time
			}
		}
		return !limited.IsZero()
	}, patience, 5*time.Millisecond)
	<-time.After(wait - 500*time.Millisecond)
	for _, call := range env.journal() {
		since := call.Time.Sub(limited)
		require.False(t, since > 500*time.Millisecond && since < wait-time.Second && stoodStill(limited, call.Time) == 0, "a call %s after the 429", since)
	}
	env.waitForCalls(t, env.calls()+10, "and they go on")
}
