package ratelimit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
)

// deletionsBeside returns how many deletions of two requests each get their
// permits within 20 seconds beside so many sweeps, each in a process of its own.
func deletionsBeside(t *testing.T, sweeps int) int64 {
	t.Helper()
	var done atomic.Int64
	synctest.Test(t, func(t *testing.T) {
		db := openInBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var all sync.WaitGroup
		defer all.Wait()
		process := func(db *database.DB) *ratelimit.Limiter {
			l, err := ratelimit.New(t.Context(), ratelimit.Options{DB: db.Main, Reader: db.Reader, SQL: db.SQL, ProcessClock: true, Now: time.Now, Name: "polar", PerMinute: 600})
			require.NoError(t, err)
			return l
		}
		for range sweeps {
			l := process(db).ForSweeps()
			all.Go(func() {
				for ctx.Err() == nil {
					_, _ = l.Acquire(ctx, 1)
				}
			})
		}
		server := process(db)
		const workers = 4
		for range workers {
			all.Go(func() {
				for ctx.Err() == nil {
					if _, decision := server.Acquire(ctx, 2); decision == nil {
						done.Add(1)
					}
				}
			})
		}
	})
	return done.Load()
}

func TestSweepsLeaveHalfOfTheRateToDeletions(t *testing.T) {
	t.Parallel()
	alone := deletionsBeside(t, 0)
	require.InDelta(t, 105, alone, 2)
	for sweeps := 1; sweeps <= 5; sweeps++ {
		beside := deletionsBeside(t, sweeps)
		t.Logf("%d deletions alone, %d beside %d sweeps", alone, beside, sweeps)
		require.GreaterOrEqual(t, beside, alone/2-1, "beside %d sweeps", sweeps)
	}
}

func TestAllSweepsOfAllReplicasShareOnePace(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		deletions := limiter(t, db, c, 60)
		first, second := limiter(t, db, c, 60).ForSweeps(), limiter(t, db, c, 60).ForSweeps()
		acquire(t, first)
		refused(t, second)
		acquire(t, deletions) // has a pace of its own
		c.step(time.Second)
		refused(t, first)
		c.step(time.Second)
		acquire(t, second)
		refused(t, first)

		ok(t, acquire(t, deletions).Report(t.Context(), pause(deletion.WaitRateLimited, 8*time.Second)))
		c.step(4 * time.Second)
		refused(t, first) // a pause is everybody's
		c.step(4 * time.Second)
		acquire(t, first)
		c.step(-time.Hour)
		acquire(t, second) // what is due in an hour comes from a clock that stepped back
		refused(t, first)

		unlimited := limiter(t, db, c, 0).ForSweeps()
		for range 20 {
			acquire(t, unlimited)
		}
	})
}
