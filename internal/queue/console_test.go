package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestTheConsoleChangesAllOrNoneAndLetsNothingPastAGuard(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fails := func(_ context.Context, a event.Attempt) (event.Result, error) {
			if a.EventID == "held" {
				return event.Result{PolarStatus: 422}, fault.New(fault.Held, string(event.HoldRejected), "no")
			}
			return event.Result{}, fault.New(fault.Unavailable, "server_error", "away").After(time.Hour)
		}
		h, d := start(t, db, fails), operator(t, db)
		h.accept(t, deletion("held", "u1"), deletion("fails", "u2"))
		held := d.wait(t, "held", queue.StateHeld)
		var failing queue.Record
		require.Eventually(t, func() bool { failing = d.only(t, "fails"); return failing.Attempts > 0 && !failing.Running },
			20*time.Second, 10*time.Millisecond)
		h.stop(t)

		counted, err := h.HeldByReason(t.Context())
		require.NoError(t, err)
		require.Len(t, counted, 1)
		require.Equal(t, 1, counted[event.HoldRejected])

		requireRefused(t, d.RetryWaiting(t.Context(), []int64{failing.ID, held.ID}), "polar-bridge deletions approve")
		require.Empty(t, d.only(t, "fails").Actions, "none of them was changed")
		require.NoError(t, d.RetryWaiting(t.Context(), []int64{failing.ID}))
		require.NoError(t, d.RetryWaiting(t.Context(), []int64{failing.ID}), "it is due already")
		require.Len(t, d.only(t, "fails").Actions, 2)

		require.NoError(t, d.CancelUnfinished(t.Context(), []int64{failing.ID, held.ID}, "not theirs"))
		require.Equal(t, queue.StateCancelled, d.only(t, "held").State)
		requireRefused(t, d.CancelUnfinished(t.Context(), []int64{held.ID}, "again"), "cancelled already")
		requireRefused(t, d.RetryWaiting(t.Context(), []int64{held.ID}), "never tried again")
	})
}

func TestAnOperatorIsToldThatTheTablesAreGone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := unstarted(t, db), operator(t, db)
		for _, table := range []string{"river_job", "river_queue"} {
			_, err := db.Main.ExecContext(t.Context(), "DROP TABLE "+table)
			require.NoError(t, err)
		}
		_, found := d.Find(t.Context(), 1)
		_, stats := d.Stats(t.Context())
		_, chosen := d.Approvables(t.Context(), "")
		_, approved := d.ApproveHeld(t.Context(), []queue.Held{{ID: 1}})
		_, cancelled := d.Cancel(t.Context(), 1, "why")
		_, paused := d.Pause(t.Context())
		_, resumed := d.Resume(t.Context())
		_, pause := d.Paused(t.Context())
		_, forgotten := d.Forget(t.Context(), "u1")
		_, counted := h.HeldByReason(t.Context())
		failures := map[string]error{
			"find": found, "stats": stats, "what can be approved": chosen, "approve held": approved, "cancel": cancelled, "pause": paused, "resume": resumed,
			"paused": pause, "forget": forgotten, "held by reason": counted,
			"retry": d.Retry(t.Context(), 1), "approve": d.Approve(t.Context(), 1),
		}
		for _, err := range d.List(t.Context(), queue.Filter{}) {
			failures["list"] = err
		}
		for _, err := range d.Finished(t.Context(), time.Time{}, time.Time{}) {
			failures["finished"] = err
		}
		require.Len(t, failures, 14)
		for what, err := range failures {
			require.Error(t, err, what)
		}
		require.Zero(t, d.logs.FilterMessage("operator action").Len(), "nothing was done")
	})
}
