package queue_test

import (
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// clock is a clock that tests move by hand.
type clock struct{ micros atomic.Int64 }

// newClock stands at the real time, because River knows no other.
func newClock() *clock { return clockAt(time.Now()) }

func clockAt(at time.Time) *clock {
	c := &clock{}
	c.micros.Store(at.UnixMicro())
	return c
}

// longAgo is a clock by which Postgres, too, knows that no request of it is on
// its way any more: operators' commands have the server's clock there.
func longAgo() *clock { return clockAt(time.Now().Add(-time.Hour)) }

func (c *clock) now() time.Time       { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) step(d time.Duration) { c.micros.Add(d.Microseconds()) }

const steppedBack = "the clock stepped back: waiting deletions moved with it"

// leaveAs stores e1 with a job as an earlier process would leave it. In columns,
// in(5 minutes) is that time from now.
func leaveAs(t *testing.T, db *database.DB, columns string) {
	t.Helper()
	h := byHand(t, db, deletes())
	h.accept(t, newDeletion("e1", "u1"))
	setJobs(t, db, "attempted_at = created_at, attempt = 1")
	setJobs(t, db, columns)
}

// setJobs changes all jobs; see leaveAs.
func setJobs(t testing.TB, db *database.DB, columns string) {
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
				h := start(t, db, deletes())
				// What the row says of that time must not keep it either.
				h.set(t, "received_at", time.Now().Add(time.Hour).UnixMicro())
				h.wait(t, "e1", deletion.StateDone)
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				leaveAs(t, db, columns)
				h := start(t, db, deletes())
				h.accept(t, newDeletion("e2", "u2"))
				h.wait(t, "e2", deletion.StateDone) // the queue runs
				require.Equal(t, "u2", h.applier.wait(t, 1)[0].ExternalID)
				require.Equal(t, deletion.StateWaiting, h.row(t, "e1").State)
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
		h := start(t, db, deletes())
		h.accept(t, newDeletion("e2", "u2"))
		h.wait(t, "e1", deletion.StateDone)
		h.wait(t, "e2", deletion.StateDone)
		require.Equal(t, 2, h.applier.requests())
		receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1"), newDeletion("e2", "u2")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: 2}, receipt)
		require.Zero(t, h.logs.FilterMessage(steppedBack).Len())
	})
}
