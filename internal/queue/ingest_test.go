package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// yielded is how long an attempt let webhooks go first.
func yielded(ctx context.Context, p *queue.IngestPriority) time.Duration {
	begin := time.Now()
	p.Yield(ctx)
	return time.Since(begin)
}

func TestWorkWaitsForNobodyWithoutABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &queue.IngestPriority{}
		require.Zero(t, yielded(t.Context(), p))
		end := p.BeginBurst(queue.BurstSize - 1)
		require.Zero(t, yielded(t.Context(), p))
		end()
		require.Zero(t, yielded(t.Context(), p))
	})
}

func TestWorkWaitsUntilTheBurstIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &queue.IngestPriority{}
		p.BeginBurst(queue.BurstSize)()
		<-time.After(queue.BurstOver - time.Millisecond)
		end := p.BeginBurst(queue.BurstSize) // it goes on
		const slow = 20 * queue.BurstOver
		time.AfterFunc(slow, end)
		require.Equal(t, slow+queue.BurstOver, yielded(t.Context(), p), "a slow disk does not end it")
		require.Zero(t, yielded(t.Context(), p), "and nobody waits any more")
		p.BeginBurst(queue.BurstSize)()
		require.Equal(t, queue.BurstOver, yielded(t.Context(), p), "until the next one")
	})
}

func TestWorkGoesOnUnderAnEndlessBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &queue.IngestPriority{}
		next := time.NewTicker(queue.BurstOver / 2)
		defer next.Stop()
		p.BeginBurst(queue.BurstSize)()
		enough := make(chan time.Duration)
		go func() { enough <- yielded(t.Context(), p) }()
		for {
			select {
			case <-next.C:
				p.BeginBurst(queue.BurstSize)()
			case took := <-enough:
				require.Equal(t, queue.MaxYield, took)
				return
			}
		}
	})
}

func TestABurstKeepsNoAttemptThatIsInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &queue.IngestPriority{}
		p.BeginBurst(queue.BurstSize)()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, yielded(ctx, p))
	})
}

func TestAnAttemptYieldsToABurst(t *testing.T) {
	t.Parallel()
	h := start(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deletes())
	h.BeginBurst(queue.BurstSize) // and does not end
	begin := time.Now()
	h.accept(t, newDeletion("e1", "u1"))
	h.applier.wait(t, 1)
	require.GreaterOrEqual(t, time.Since(begin), queue.MaxYield)
}
