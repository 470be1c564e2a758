package ratelimit_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
)

// decide is what a transaction that locks the row decides about the permit.
func decide(t *testing.T, db *database.DB, l *ratelimit.Limiter, permit deletion.Permit) deletion.Decision {
	t.Helper()
	tx, locked := lock(t, db, l)
	decision := locked.Decide(permit)
	require.NoError(t, tx.Commit())
	return decision
}

func lock(t *testing.T, db *database.DB, l *ratelimit.Limiter) (*sql.Tx, *ratelimit.Locked) {
	t.Helper()
	tx, err := db.Main.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	locked, err := l.Lock(t.Context(), tx)
	require.NoError(t, err)
	return tx, locked
}

// requireStopped requires that nothing may be sent for the reason, for so long.
func requireStopped(t *testing.T, decision deletion.Decision, reason deletion.WaitReason, d time.Duration) {
	t.Helper()
	wait := as[deletion.Wait](t, decision)
	require.Error(t, wait.Err)
	wait.Err = nil
	require.Equal(t, deletion.Wait{Reason: reason, For: d}, wait)
}

func TestWhatHasAPermitIsStoppedByAPauseThatBeganSince(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter)
	}{
		{"it may be sent where nothing happened", func(t *testing.T, db *database.DB, c *clock, first, _ *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			require.Nil(t, decide(t, db, first, permit))
			c.step(time.Hour)
			require.Nil(t, decide(t, db, first, permit))
		}},
		{"another replica was told to wait", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitRateLimited, 8*time.Second)))
			requireStopped(t, decide(t, db, first, permit), deletion.WaitRateLimited, 8*time.Second)
			c.step(5 * time.Second)
			requireStopped(t, decide(t, db, first, permit), deletion.WaitRateLimited, 3*time.Second)
			c.step(3 * time.Second)
			require.Nil(t, decide(t, db, first, permit), "the pause is over")
		}},
		{"the token was refused", func(t *testing.T, db *database.DB, _ *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
			requireStopped(t, decide(t, db, first, permit), deletion.WaitUnauthorized, time.Minute)
		}},
		{"the circuit breaker opened", func(t *testing.T, db *database.DB, _ *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			for range 4 {
				ok(t, acquire(t, second).Report(t.Context(), outage()))
				require.Nil(t, decide(t, db, first, permit), "not yet")
			}
			ok(t, acquire(t, second).Report(t.Context(), outage()))
			requireStopped(t, decide(t, db, first, permit), deletion.WaitOutage, time.Second)
		}},
		{"a pause that a probe ended stops nothing", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitUnexpected, time.Minute)))
			c.step(time.Minute)
			ok(t, acquire(t, second).Report(t.Context(), success()))
			require.Nil(t, decide(t, db, first, permit))
		}},
		{"the probe's own lease does not stop it", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			early := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
			c.step(time.Minute)
			probe := acquire(t, second)
			require.Nil(t, decide(t, db, second, probe))
			requireStopped(t, decide(t, db, first, early), deletion.WaitUnauthorized, 15*time.Second) // the probe goes alone
			c.step(time.Second)
			require.Nil(t, decide(t, db, second, probe))
		}},
		{"a longer pause that began under its lease stops the probe", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			early := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
			c.step(time.Minute)
			probe := acquire(t, second)
			ok(t, early.Report(t.Context(), pause(deletion.WaitRateLimited, 30*time.Second)))
			requireStopped(t, decide(t, db, second, probe), deletion.WaitRateLimited, 30*time.Second)
		}},
		{"so does a shorter one", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			early := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
			c.step(time.Minute)
			probe := acquire(t, second)
			ok(t, early.Report(t.Context(), pause(deletion.WaitRateLimited, 8*time.Second)))
			requireStopped(t, decide(t, db, second, probe), deletion.WaitRateLimited, 15*time.Second)
		}},
		{"the next probe stops one that came too late", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			ok(t, acquire(t, first).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
			c.step(time.Minute)
			late := acquire(t, first)
			c.step(15 * time.Second)
			next := acquire(t, second)
			require.Nil(t, decide(t, db, second, next))
			requireStopped(t, decide(t, db, first, late), deletion.WaitUnauthorized, 15*time.Second)
		}},
		{"a pause of a clock that stepped back stops nothing", func(t *testing.T, db *database.DB, c *clock, first, second *ratelimit.Limiter) {
			t.Helper()
			permit := acquire(t, first)
			ok(t, acquire(t, second).Report(t.Context(), pause(deletion.WaitRateLimited, time.Minute)))
			c.step(-time.Hour)
			require.Nil(t, decide(t, db, first, permit))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				for _, perMinute := range []int{0, 6000} {
					require.NoError(t, clearRow(t.Context(), db))
					c := newClock()
					tt.run(t, db, c, limiter(t, db, c, perMinute), limiter(t, db, c, perMinute))
				}
			})
		})
	}
}

func clearRow(ctx context.Context, db *database.DB) error {
	_, err := db.Main.ExecContext(ctx, "DELETE FROM polar_bridge_rate_limit")
	return err
}

// clocked is a limiter with the clock that it has in the program.
func clocked(t *testing.T, db *database.DB) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(t.Context(), ratelimit.Options{
		DB: db.Main, Reader: db.Reader, SQL: db.SQL, Now: time.Now, Name: "polar",
	})
	require.NoError(t, err)
	return l
}

func TestNoPauseBeginsWhileTheRowIsLocked(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		l := clocked(t, db)
		permit, other := acquire(t, l), acquire(t, l)
		tx, locked := lock(t, db, l)
		require.Error(t, other.Report(soon(t), pause(deletion.WaitRateLimited, time.Minute)), "it has to wait")
		require.Nil(t, locked.Decide(permit))
		require.NoError(t, tx.Commit())

		ok(t, other.Report(t.Context(), pause(deletion.WaitRateLimited, time.Minute)))
		require.NotNil(t, decide(t, db, l, permit))
	})
}

// Otherwise what waited for the lock would count with the time before it waited,
// and miss a pause that began meanwhile.
func TestTheClockIsReadOnceTheRowIsLocked(t *testing.T) {
	t.Parallel()
	t.Run("the process's clock", func(t *testing.T) {
		t.Parallel()
		db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
		c := newClock()
		_, locked := lock(t, db, limiter(t, db, c, 60))
		require.Equal(t, c.now(), locked.Now())
	})
	t.Run("the server's clock", func(t *testing.T) {
		t.Parallel()
		db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
		l := clocked(t, db)
		permit := acquire(t, l)
		first, locked := lock(t, db, l)
		require.WithinDuration(t, time.Now(), locked.Now(), time.Minute)

		type result struct {
			now      time.Time
			decision deletion.Decision
			err      error
		}
		results := make(chan result, 1)
		go func() {
			tx, err := db.Main.BeginTx(t.Context(), nil)
			if err != nil {
				results <- result{err: err}
				return
			}
			defer func() { _ = tx.Rollback() }()
			locked, err := l.Lock(t.Context(), tx)
			if err != nil {
				results <- result{err: err}
				return
			}
			results <- result{now: locked.Now(), decision: locked.Decide(permit)}
		}()
		require.Eventually(t, func() bool {
			var waiting bool
			err := db.Reader.QueryRowContext(t.Context(),
				"SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
			return err == nil && waiting
		}, 10*time.Second, time.Millisecond)
		var released time.Time
		err := first.QueryRowContext(t.Context(), `UPDATE polar_bridge_rate_limit SET reason = 'rate_limited',
			blocked_until = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 60000000 WHERE name = 'polar' RETURNING clock_timestamp()`).Scan(&released)
		require.NoError(t, err)
		require.NoError(t, first.Commit())

		second := <-results
		require.NoError(t, second.err)
		require.False(t, second.now.Before(released), "it counts with the time after the other ended")
		require.NotNil(t, second.decision, "the pause that began meanwhile is seen")
	})
}

func TestALockedRowIsNotWaitedForForLong(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	c := newClock()
	first, second := limiter(t, db, c, 60), limiter(t, db, c, 60)
	tx, _ := lock(t, db, first)
	_, err := tx.ExecContext(t.Context(), "UPDATE polar_bridge.polar_bridge_rate_limit SET failures = failures")
	require.NoError(t, err)
	t.Run("a limiter that begins needs no lock", func(t *testing.T) {
		t.Parallel()
		limiter(t, db, c, 60)
	})
	t.Run("there is no permit, and the decision says why", func(t *testing.T) {
		t.Parallel()
		_, decision := second.Acquire(t.Context(), 1)
		retry := as[deletion.Retry](t, decision)
		require.Equal(t, deletion.RetryDatabase, retry.Reason)
		require.ErrorContains(t, retry.Err, "another transaction may hold the row")
	})
}
