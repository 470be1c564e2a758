package queue_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
)

const steppedBack = "the clock stepped back: waiting deletions moved with it"

// leaveAs stores e1 as an earlier process would leave it. In columns, in(5
// minutes) is that time from now.
func leaveAs(t *testing.T, db *database.DB, columns string) {
	t.Helper()
	leaveRunning(t, db, "attempted_at = attempted_at")
	setColumns(t, db, columns)
}

// setColumns changes all rows; see leaveAs.
func setColumns(t testing.TB, db *database.DB, columns string) {
	t.Helper()
	begin, end := "strftime('%Y-%m-%d %H:%M:%f', 'now', '", "')" // without + too
	if db.Dialect == database.Postgres {
		begin, end = "(now() + interval '", "')"
	}
	columns = regexp.MustCompile(`in\(([^)]*)\)`).ReplaceAllString(columns, begin+"${1}"+end)
	_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET "+columns)
	require.NoError(t, err)
}

func TestAClockThatStepsBackDelaysNoDeletion(t *testing.T) {
	t.Parallel()
	// What they were a moment before the clock stepped back by an hour.
	for name, columns := range map[string]string{
		"just accepted": "state = 'available', attempt = 0, attempted_at = NULL, created_at = in(60 minutes), scheduled_at = in(60 minutes)",
		"just failed":   "state = 'retryable', created_at = in(60 minutes), attempted_at = in(60 minutes), scheduled_at = in(3601 seconds)",
		"postponed":     "state = 'scheduled', created_at = in(0 minutes), attempted_at = in(60 minutes), scheduled_at = in(3601 seconds)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				leaveAs(t, db, columns)
				h := start(t, db, deleted)
				h.waitState(t, "e1", "completed")
				require.EqualValues(t, 1, h.line(t, steppedBack)["deletions"])
			})
		})
	}
}

func TestWhatIsToWaitStillWaits(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]string{
		"for ten minutes, and the clock stepped back": "state = 'scheduled', attempted_at = in(60 minutes), scheduled_at = in(70 minutes)",
		"for an hour":                 "state = 'scheduled', scheduled_at = in(60 minutes)",
		"for an hour after a failure": "state = 'retryable', scheduled_at = in(60 minutes)",
		"for a human":                 "state = 'scheduled', attempted_at = in(60 minutes), scheduled_at = in(1800000 hours)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				leaveAs(t, db, columns)
				h := start(t, db, deleted)
				h.accept(t, deletion("e2", "u2"))
				h.waitState(t, "e2", "completed") // the queue runs
				require.Equal(t, "u2", h.applier.wait(t, 1)[0].ExternalID)
				require.NotEqual(t, "completed", h.job(t, "e1").state)
				moved := strings.Contains(name, "stepped back")
				require.Equal(t, moved, len(h.logs.FilterMessage(steppedBack).All()) == 1)
			})
		})
	}
}

func TestAClockThatStepsForwardRunsNothingTwiceAndHoldsNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		leaveAs(t, db, "state = 'retryable', created_at = in(-60 minutes), attempted_at = in(-60 minutes), scheduled_at = in(-60 minutes)")
		h := start(t, db, deleted)
		h.accept(t, deletion("e2", "u2"))
		h.waitState(t, "e1", "completed")
		h.waitState(t, "e2", "completed")
		attempts, _ := h.applier.seen()
		require.Len(t, attempts, 2)
		receipt, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1"), deletion("e2", "u2")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Duplicates: 2}, receipt)
		require.Zero(t, h.logs.FilterMessage(steppedBack).Len())
	})
}
