package queue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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
		c.Saw(queue.Crowded - 1)
		require.Zero(t, waited(t.Context(), c))
	})
}

func TestWorkWaitsUntilTheCrowdIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		c.Saw(queue.Crowded)
		<-time.After(queue.CrowdGone - time.Millisecond)
		c.Saw(queue.Crowded) // it goes on
		require.Equal(t, queue.CrowdGone, waited(t.Context(), c))
		require.Zero(t, waited(t.Context(), c), "and nobody waits any more")
		c.Saw(queue.Crowded)
		require.Equal(t, queue.CrowdGone, waited(t.Context(), c), "until the next one")
	})
}

func TestWorkGoesOnUnderAnEndlessCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &queue.Crowd{}
		comes := time.NewTicker(queue.CrowdGone / 2)
		defer comes.Stop()
		c.Saw(queue.Crowded)
		enough := make(chan time.Duration)
		go func() { enough <- waited(t.Context(), c) }()
		for {
			select {
			case <-comes.C:
				c.Saw(queue.Crowded)
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
		c.Saw(queue.Crowded)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, waited(ctx, c))
	})
}
