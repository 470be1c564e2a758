package queue_test

import (
	"cmp"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// A step of the sweep costs the same whatever waits, in time and memory, and the
// steps come to the last one.
func TestTheOrphanSweepOfABacklog(t *testing.T) {
	t.Parallel()
	const variable, most = "POLAR_BRIDGE_BACKLOG", 4 << 20 // bytes a step
	many, err := strconv.Atoi(cmp.Or(os.Getenv(variable), "20000"))
	require.NoError(t, err)
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		require.NoError(t, databasetest.FillWaiting(t.Context(), db.Main, db.Dialect == database.SQLite, many))
		_, err := db.Main.ExecContext(t.Context(), "DELETE FROM river_job WHERE id = (SELECT job_id FROM polar_bridge_deletions ORDER BY id DESC LIMIT 1)")
		require.NoError(t, err)
		h.clock.step(queue.OrphanAge + time.Minute)
		var sweep queue.OrphanSweep
		var slowest, whole time.Duration
		var before, after runtime.MemStats
		steps := many / queue.OrphansAtOnce
		runtime.ReadMemStats(&before)
		for range steps {
			require.Zero(t, h.logs.FilterMessage(adopted).Len())
			begin := time.Now()
			require.NoError(t, sweep.Step(t.Context(), h.Queue))
			took := time.Since(begin)
			slowest, whole = max(slowest, took), whole+took
		}
		runtime.ReadMemStats(&after)
		allocated := int(after.TotalAlloc-before.TotalAlloc) / steps
		t.Logf("%d waiting: %d steps, the slowest %s, all %s, %d kB allocated a step", many, steps, slowest, whole, allocated>>10)
		require.Equal(t, 1, h.logs.FilterMessage(adopted).Len())
		require.Less(t, slowest, 2*time.Second)
		if os.Getenv(variable) != "" { // alone: otherwise what other tests allocate would count
			require.Less(t, allocated, most)
		}
	})
}
