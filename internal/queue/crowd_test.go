package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// waited is how long an attempt let webhooks go first.
func waited(ctx context.Context, c *queue.Crowd) time.Duration {
	begin := time.Now()
	c.LetPass(ctx)
	return time.Since(begin)
}

func TestWorkWaitsForNobodyWithoutACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		require.Zero(t, waited(t.Context(), c))
		passed := c.Comes(queue.Crowded - 1)
		require.Zero(t, waited(t.Context(), c))
		passed()
		require.Zero(t, waited(t.Context(), c))
	})
}

func TestWorkWaitsUntilTheCrowdIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		c.Comes(queue.Crowded)()
		<-time.After(queue.CrowdGone - time.Millisecond)
		passed := c.Comes(queue.Crowded) // it goes on
		const slow = 20 * queue.CrowdGone
		time.AfterFunc(slow, passed)
		require.Equal(t, slow+queue.CrowdGone, waited(t.Context(), c), "a slow disk does not disperse it")
		require.Zero(t, waited(t.Context(), c), "and nobody waits any more")
		c.Comes(queue.Crowded)()
		require.Equal(t, queue.CrowdGone, waited(t.Context(), c), "until the next one")
	})
}

func TestWorkGoesOnUnderAnEndlessCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		comes := time.NewTicker(queue.CrowdGone / 2)
		defer comes.Stop()
		c.Comes(queue.Crowded)()
		enough := make(chan time.Duration)
		go func() { enough <- waited(t.Context(), c) }()
		for {
			select {
			case <-comes.C:
				c.Comes(queue.Crowded)()
			case took := <-enough:
				require.Equal(t, queue.Courtesy, took)
				return
			}
		}
	})
}

func TestACrowdKeepsNoAttemptThatIsInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		c.Comes(queue.Crowded)()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, waited(ctx, c))
	})
}

func TestAnAttemptLetsTheCrowdGoFirst(t *testing.T) {
	t.Parallel()
	h := start(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deleted)
	queue.CrowdComes(h.Queue, queue.Crowded) // and does not pass
	begin := time.Now()
	_, err := h.Accept(t.Context(), []event.Deletion{deletion("msg_1", "user_1")})
	require.NoError(t, err)
	h.applier.wait(t, 1)
	require.GreaterOrEqual(t, time.Since(begin), queue.Courtesy)
}
