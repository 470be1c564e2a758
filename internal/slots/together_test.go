package slots_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/slots"
)

func TestTwoRequestsAreTakenTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 60), limiter(t, db, c, 60)
		both := func(l *slots.Limiter) error {
			_, err := l.Take(impatient(t), 2)
			return err
		}
		for range (slots.Burst - 2) / 4 {
			ok(t, both(first))
			ok(t, both(second))
		}
		take(t, first)
		require.ErrorIs(t, both(first), context.DeadlineExceeded, "one is left, and two are asked for")
		take(t, first) // the failed try has cost nothing
		refused(t, first)
		for range 3 {
			c.step(time.Second)
			require.ErrorIs(t, both(second), context.DeadlineExceeded)
			c.step(time.Second)
			ok(t, both(second))
			refused(t, first) // both count
		}
		c.step(time.Hour)
		for range slots.Burst / 2 {
			ok(t, both(first))
		}
		refused(t, second)
		c.step(time.Second)
		take(t, second)
	})
}
