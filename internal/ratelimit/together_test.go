package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
)

func TestTwoRequestsAreAcquiredTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 60), limiter(t, db, c, 60)
		both := func(ctx context.Context, l *ratelimit.Limiter) deletion.Decision {
			_, decision := l.Acquire(ctx, 2)
			return decision
		}
		for range (ratelimit.Burst - 2) / 4 {
			require.Nil(t, both(t.Context(), first))
			require.Nil(t, both(t.Context(), second))
		}
		acquire(t, first)
		requireStillWaiting(t, both(soon(t), first)) // one is left, and two are asked for
		acquire(t, first)                            // the failed try has cost nothing
		refused(t, first)
		for range 3 {
			c.step(time.Second)
			requireStillWaiting(t, both(soon(t), second))
			c.step(time.Second)
			require.Nil(t, both(t.Context(), second))
			refused(t, first) // both count
		}
		c.step(time.Hour)
		for range ratelimit.Burst / 2 {
			require.Nil(t, both(t.Context(), first))
		}
		refused(t, second)
		c.step(time.Second)
		acquire(t, second)
	})
}
