package ratelimit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
)

// inBubble is a limiter whose clock is the bubble's.
func inBubble(t *testing.T, perMinute int) *ratelimit.Limiter {
	t.Helper()
	db := openInBubble(t)
	l, err := ratelimit.New(t.Context(), ratelimit.Options{DB: db.Main, Reader: db.Reader, SQL: db.SQL, ProcessClock: true, Now: time.Now, Name: "polar", PerMinute: perMinute})
	require.NoError(t, err)
	return l
}

// pausedInBubble is one that has been told to send nothing for a minute.
func pausedInBubble(t *testing.T) *ratelimit.Limiter {
	t.Helper()
	l := inBubble(t, 0)
	permit, decision := l.Acquire(t.Context(), 1)
	require.Nil(t, decision)
	ok(t, permit.Report(t.Context(), pause(deletion.WaitRateLimited, time.Minute)))
	return l
}

func TestAWorkerWaitsFiveSecondsAndIsToldWhenToRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pausedInBubble(t)
		decisions := make(chan deletion.Decision)
		start := time.Now()
		for range 3 {
			go func() {
				_, decision := l.Acquire(t.Context(), 1)
				decisions <- decision
			}()
		}
		for range 3 {
			wait := as[deletion.Wait](t, <-decisions)
			require.Equal(t, deletion.WaitRateLimited, wait.Reason)
			require.InDelta(t, (time.Minute - ratelimit.AcquireTimeout).Seconds(), wait.For.Seconds(), 6)
			require.False(t, wait.Everybody, "whoever only waits pauses nobody else")
			require.Error(t, wait.Err)
		}
		require.Equal(t, ratelimit.AcquireTimeout, time.Since(start))
	})
}

func TestAWorkerWhoseRequestIsDueWithinTheTimeoutGetsThePermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := inBubble(t, 20)
		start := time.Now()
		for range ratelimit.Burst + 1 {
			_, decision := l.Acquire(t.Context(), 1)
			require.Nil(t, decision)
		}
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestAWorkerWithoutAPauseIsToldThatNothingIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := inBubble(t, 4)
		for range ratelimit.Burst {
			_, decision := l.Acquire(t.Context(), 1)
			require.Nil(t, decision)
		}
		_, decision := l.Acquire(t.Context(), 1)
		wait := as[deletion.Wait](t, decision)
		require.Equal(t, deletion.WaitPermit, wait.Reason)
		require.InDelta(t, (15*time.Second - ratelimit.AcquireTimeout).Seconds(), wait.For.Seconds(), 1)
	})
}

func TestClosingEndsAllWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pausedInBubble(t)
		decisions := make(chan deletion.Decision)
		start := time.Now()
		go func() {
			_, decision := l.Acquire(t.Context(), 1)
			decisions <- decision
		}()
		synctest.Wait()
		l.Close()
		requireStillWaiting(t, <-decisions)
		require.Zero(t, time.Since(start))
		for range 100 { // also when no other waiter asks
			_, decision := l.Acquire(t.Context(), 1)
			requireStillWaiting(t, decision)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pausedInBubble(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		permit, decision := l.Acquire(ctx, 1)
		require.Nil(t, permit)
		requireStillWaiting(t, decision)
		require.Zero(t, time.Since(start))
	})
}

func TestADatabaseThatIsAwayIsARetry(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	l := limiter(t, db, newClock(), 60)
	permit := acquire(t, l)
	_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_rate_limit RENAME TO away")
	require.NoError(t, err)
	_, decision := l.Acquire(t.Context(), 1)
	retry := as[deletion.Retry](t, decision)
	require.Equal(t, deletion.RetryDatabase, retry.Reason)
	require.False(t, retry.Outage, "that is not Polar's fault")
	require.Error(t, retry.Err)

	require.Error(t, l.Charge(t.Context()))
	require.Error(t, permit.Report(t.Context(), pause(deletion.WaitRateLimited, time.Minute)))
	_, _, err = l.Pause(t.Context())
	require.Error(t, err)
}

// openInBubble opens SQLite inside a synctest bubble.
func openInBubble(t *testing.T) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), "sqlite:"+t.TempDir()+"/rate_limit.db", database.DefaultSchema)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), nil))
	return db
}
