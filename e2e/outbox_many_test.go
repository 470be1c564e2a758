package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// outboxVariable is how many users are deleted at once: make outbox has 100,000.
const outboxVariable = "POLAR_BRIDGE_OUTBOX"

// A migration of the auth system, or somebody's script, deletes everybody at once:
// webhooks do not wait for it, and memory does not grow with it.
func TestManyRowsAtOnceInTheOutbox(t *testing.T) {
	t.Parallel()
	many := int(numberFrom(t, outboxVariable, 2000))
	const living = 100
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, a := withAuthDatabase(t, database, databasetest.Postgres(t),
			"AUTH_DATABASE_OUTBOX=true", "POLAR_CONCURRENCY=16", "VERIFY_AFTER=0s")
		ids := a.populate(t, env, many+living)
		servers := []*process{env.start(t)}
		if !strings.HasPrefix(database, "sqlite:") {
			servers = append(servers, env.start(t))
		}
		ctx, stop := context.WithCancel(t.Context())
		memory := servers[0].watch(ctx)
		webhooks := sendSteadily(ctx, t, servers[0])

		begin := time.Now()
		a.deleteUsers(t, ids[:many]...)
		a.requireEmptyOutbox(t)
		stored := time.Since(begin)
		env.waitDeleted(t, ids[:many], 20*time.Minute)
		done := time.Since(begin)
		stop()
		latencies := <-webhooks
		slices.Sort(latencies)
		p99 := latencies[len(latencies)*99/100]
		kilobytes, _ := memory.result(t)

		require.Len(t, env.polar.Customers(), living)
		for _, server := range servers {
			require.Zero(t, server.metric(t, outboxDuplicate))
			require.Zero(t, server.terminate(t))
		}
		t.Logf("%d rows, %d servers: stored in %s (%.0f a second), deleted in %s (%.0f a second); beside them %d webhooks, p99 %s; %d MB at most",
			many, len(servers), stored.Round(time.Millisecond), float64(many)/stored.Seconds(), done.Round(time.Millisecond), float64(many)/done.Seconds(),
			len(latencies), p99.Round(100*time.Microsecond), kilobytes>>10)
		const mostMemory = 160 << 10 // kB: as with a million that wait
		require.Less(t, kilobytes, mostMemory)
		require.Less(t, p99, 2*time.Second, "even on a busy machine")
	})
}

// sendSteadily posts an event every 20 ms until ctx ends, and says how long each answer took.
func sendSteadily(ctx context.Context, t *testing.T, p *process) <-chan []time.Duration {
	t.Helper()
	clerk, ok := everyProvider().Lookup("clerk")
	require.True(t, ok)
	result := make(chan []time.Duration, 1)
	go func() {
		var latencies []time.Duration
		defer func() { result <- latencies }()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			<-tick.C
			header, body, err := clerk.Sample(clerkKey, provider.Sample{ExternalID: fmt.Sprint("user_beside_", i), EventID: fmt.Sprint("msg_beside_", i), Time: time.Now()})
			if err != nil {
				t.Error(err)
				return
			}
			begin := time.Now()
			if status, text := p.post(context.WithoutCancel(ctx), http.DefaultClient, delivery{"clerk", header, body}); status != http.StatusAccepted {
				t.Error(status, text)
				return
			}
			latencies = append(latencies, ran(begin))
		}
	}()
	return result
}
