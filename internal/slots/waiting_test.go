package slots_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/slots"
)

func TestAWorkerWaitsFiveSecondsAndIsToldWhenToComeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openInBubble(t)
		l, err := slots.New(t.Context(), slots.Options{DB: db.Main, Reader: db.Reader, Now: time.Now, Name: "polar"})
		require.NoError(t, err)
		done, err := l.Take(t.Context(), 1)
		require.NoError(t, err)
		ok(t, done(t.Context(), fault.PauseRateLimited, time.Minute))

		results := make(chan error)
		start := time.Now()
		for range 3 {
			go func() {
				_, err := l.Take(t.Context(), 1)
				results <- err
			}()
		}
		for range 3 {
			err := <-results
			require.Equal(t, fault.Paused, fault.KindOf(err))
			require.Equal(t, fault.PauseRateLimited, reason(t, err))
			require.InDelta(t, (time.Minute - slots.Patience).Seconds(), fault.RetryAfterOf(err).Seconds(), 6)
		}
		require.Equal(t, slots.Patience, time.Since(start))
	})
}

func TestAWorkerThatIsDueWithinItsPatienceGetsTheSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openInBubble(t)
		l, err := slots.New(t.Context(), slots.Options{DB: db.Main, Reader: db.Reader, Now: time.Now, Name: "polar", PerMinute: 20})
		require.NoError(t, err)
		start := time.Now()
		for range slots.Burst + 1 {
			_, err := l.Take(t.Context(), 1)
			require.NoError(t, err)
		}
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestClosingEndsAllWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openInBubble(t)
		l, err := slots.New(t.Context(), slots.Options{DB: db.Main, Reader: db.Reader, Now: time.Now, Name: "polar"})
		require.NoError(t, err)
		done, err := l.Take(t.Context(), 1)
		require.NoError(t, err)
		ok(t, done(t.Context(), fault.PauseRateLimited, time.Minute))
		result := make(chan error)
		start := time.Now()
		go func() {
			_, err := l.Take(t.Context(), 1)
			result <- err
		}()
		synctest.Wait()
		l.Close()
		require.Equal(t, fault.Paused, fault.KindOf(<-result))
		require.Zero(t, time.Since(start))
		for range 100 { // also when the turn is free
			_, err := l.Take(t.Context(), 1)
			require.Equal(t, fault.Paused, fault.KindOf(err))
		}
	})
}

func TestWaitingEndsWithTheContextsOwnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := openInBubble(t)
		l, err := slots.New(t.Context(), slots.Options{DB: db.Main, Reader: db.Reader, Now: time.Now, Name: "polar"})
		require.NoError(t, err)
		done, err := l.Take(t.Context(), 1)
		require.NoError(t, err)
		ok(t, done(t.Context(), fault.PauseRateLimited, time.Minute))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("stopped, says the queue"))
		_, err = l.Take(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	l := limiter(t, db, newClock(), 60)
	_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_slots RENAME TO away")
	require.NoError(t, err)
	_, err = l.Take(t.Context(), 1)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, fault.ReasonDatabase, reason(t, err))
}

// openInBubble opens SQLite inside a synctest bubble.
func openInBubble(t *testing.T) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), "sqlite:"+t.TempDir()+"/slots.db")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), nil))
	return db
}
