package window_test

import (
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/window"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// clock is a clock that tests move by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMicro(c.at.Load()) }
func (c *clock) step(d time.Duration) { c.at.Add(d.Microseconds()) }

func admit(t *testing.T, w *window.Window, id int64) bool {
	t.Helper()
	admitted, err := w.Admit(t.Context(), id)
	require.NoError(t, err)
	return admitted
}

func TestSoManyPassWithinAnHourAndNoMore(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		w := window.New(window.Options{DB: db.Main, Now: c.now, Limit: 3})
		require.True(t, admit(t, w, 1))
		c.step(20 * time.Minute)
		require.True(t, admit(t, w, 2))
		require.True(t, admit(t, w, 3))
		require.False(t, admit(t, w, 4))

		// Another process, after a restart.
		next := window.New(window.Options{DB: db.Main, Now: c.now, Limit: 3})
		require.False(t, admit(t, next, 4))

		c.step(40*time.Minute - time.Microsecond)
		require.False(t, admit(t, next, 4))
		c.step(time.Microsecond)
		require.True(t, admit(t, next, 4), "the first is an hour old")
		require.False(t, admit(t, next, 5), "the window slides, it does not begin anew")
	})
}

func TestADeletionThatIsTriedAgainTakesOnePlaceOnly(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		w := window.New(window.Options{DB: db.Main, Now: c.now, Limit: 2})
		for range 5 {
			require.True(t, admit(t, w, 1))
		}
		require.True(t, admit(t, w, 2))
		require.True(t, admit(t, w, 1), "also when the window is full")
		require.False(t, admit(t, w, 3))
	})
}

// A deletion that was counted, and reaches Polar an hour later, must not come
// on top of that hour's.
func TestADeletionCountsFromItsLastTry(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		w := window.New(window.Options{DB: db.Main, Now: c.now, Limit: 1})
		require.True(t, admit(t, w, 1))
		c.step(59 * time.Minute)
		require.True(t, admit(t, w, 1))
		c.step(2 * time.Minute)
		require.False(t, admit(t, w, 2))
		c.step(59 * time.Minute)
		require.True(t, admit(t, w, 2))
		require.False(t, admit(t, w, 1), "its place is lost after an hour")
	})
}

func TestAClockThatStepsBackNeitherFreesNorBlocksTheWindow(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		w := window.New(window.Options{DB: db.Main, Now: c.now, Limit: 1})
		require.True(t, admit(t, w, 1))
		c.step(-365 * 24 * time.Hour)
		require.False(t, admit(t, w, 2))
		c.step(time.Hour)
		require.True(t, admit(t, w, 2))
	})
}

func TestReplicasRaceForThePlaces(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, address string) {
		const limit, replicas, tries = 20, 4, 40
		databasetest.OpenMigrated(t, address)
		var admitted atomic.Int64
		var racing sync.WaitGroup
		for replica := range replicas {
			db := databasetest.OpenMigrated(t, address)
			w := window.New(window.Options{DB: db.Main, Server: db.Dialect == database.Postgres, Now: time.Now, Limit: limit})
			for i := range tries {
				racing.Go(func() {
					ok, err := w.Admit(t.Context(), int64(replica*tries+i))
					if err != nil && db.Dialect == database.Postgres {
						t.Error(err)
					}
					if ok {
						admitted.Add(1)
					}
				})
			}
		}
		racing.Wait()
		require.EqualValues(t, limit, admitted.Load())
	})
}

func TestWhatTheServersDefaultIsolationIsDoesNotMatter(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(databasetest.Postgres(t))
	require.NoError(t, err)
	address.RawQuery += "&default_transaction_isolation=repeatable%20read"
	db := databasetest.OpenMigrated(t, address.String())
	const limit, tries = 5, 60
	var admitted atomic.Int64
	var racing sync.WaitGroup
	w := window.New(window.Options{DB: db.Main, Server: true, Now: time.Now, Limit: limit})
	for i := range tries {
		racing.Go(func() {
			ok, err := w.Admit(t.Context(), int64(i))
			if err != nil {
				t.Error(err)
			}
			if ok {
				admitted.Add(1)
			}
		})
	}
	racing.Wait()
	require.EqualValues(t, limit, admitted.Load())
}

func TestAWindowThatCannotCountLetsNothingThrough(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		w := window.New(window.Options{DB: db.Main, Server: db.Dialect == database.Postgres, Now: time.Now, Limit: 10})
		_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_recent_deletions RENAME TO away")
		require.NoError(t, err)
		admitted, err := w.Admit(t.Context(), 1)
		require.False(t, admitted)
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.Equal(t, fault.ReasonDatabase, fault.ReasonOf(err))
	})
}
