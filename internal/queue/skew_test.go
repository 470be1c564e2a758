package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// While a request is on its way nobody else sends one, and nobody cancels, whatever
// clocks say of an earlier attempt.
func TestARequestOnItsWayIsSeen(t *testing.T) {
	t.Parallel()
	requireSeen := func(t *testing.T, h *harness, sending *halted) {
		t.Helper()
		finish := sending.begin(t, h, h.row(t, "e1"))
		require.True(t, h.row(t, "e1").inFlight)
		_, err := operator(t, h).Cancel(t.Context(), h.row(t, "e1").ID, "wrong person")
		requireRefused(t, err, "on its way")
		requests := h.applier.requests()
		require.Positive(t, h.work(t, "e1"))
		require.Equal(t, requests, h.applier.requests())
		require.Equal(t, complete, finish())
		require.Equal(t, deletion.OutcomeDeleted, h.row(t, "e1").Outcome)
	}
	for _, by := range []time.Duration{0, 2 * time.Second, 10 * time.Second, 2 * time.Minute, -2 * time.Second, -10 * time.Second, -2 * time.Minute} {
		t.Run(fmt.Sprintf("by a process whose clock is %s ahead of Postgres'", by), func(t *testing.T) {
			t.Parallel()
			db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
			sending := newHalted()
			h := sharing(t, db, clockAt(time.Now().Add(by)), inTurn(sends(answered(503), serverError()), sending.during(deletes())),
				func(o *queue.Options) { o.Limiter = limiter(t, db, nil) })
			h.accept(t, newDeletion("e1", "u1"))
			h.work(t, "e1")
			h.clock.step(time.Second)
			requireSeen(t, h, sending)
		})
	}
	t.Run("after a clock stepped back by an hour since the last attempt", func(t *testing.T) {
		t.Parallel()
		db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
		sending := newHalted()
		h := byHand(t, db, inTurn(sends(answered(503), serverError()), sending.during(deletes())))
		h.accept(t, newDeletion("e1", "u1"))
		h.work(t, "e1")
		h.clock.step(-time.Hour)
		requireSeen(t, h, sending)
	})
}

func TestWhatPolarDidIsWhatTheRowSays(t *testing.T) {
	t.Parallel()
	t.Run("though a clock stepped back while the request was on its way, and an operator cancelled it", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			sending := newHalted()
			h := byHand(t, db, sending.during(deletes()))
			h.accept(t, newDeletion("e1", "u1"))
			finish := sending.begin(t, h, h.row(t, "e1"))
			h.clock.step(-time.Hour)
			_, _ = operator(t, h).Cancel(t.Context(), h.row(t, "e1").ID, "wrong person") // it may be refused
			finish()
			require.Equal(t, deletion.OutcomeDeleted, h.row(t, "e1").Outcome)
		})
	})
	t.Run("though the database was away for longer than an answer is waited for, and an operator came first", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			answeredAlready := newHalted()
			h := sharing(t, db, longAgo(), answeredAlready.during(deletes()))
			h.accept(t, newDeletion("e1", "u1"))
			finish := answeredAlready.begin(t, h, h.row(t, "e1"))
			h.clock.step(queue.InFlight + time.Second)
			_, _ = operator(t, h).Cancel(t.Context(), h.row(t, "e1").ID, "wrong person") // it may be refused
			finish()
			require.Equal(t, deletion.OutcomeDeleted, h.row(t, "e1").Outcome)
		})
	})
	t.Run("after requests of which each knew less than the one before", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			lost := func(saw deletion.Saw) apply {
				return func(ctx context.Context, _ deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
					require.Nil(t, journal.BeginSend(ctx, deletion.Sending{Saw: saw}))
					return deletion.Observed{Sent: true}, networkError()
				}
			}
			for _, tt := range []struct{ first, second, want deletion.Saw }{
				{deletion.SawCustomer, deletion.SawNobody, deletion.SawCustomer},
				{deletion.SawNobody, deletion.SawCustomer, deletion.SawCustomer},
				{deletion.SawNobody, deletion.SawNobody, deletion.SawNobody},
				{deletion.SawNobody, deletion.SawNothing, deletion.SawNothing},
				{deletion.SawNothing, deletion.SawNobody, deletion.SawNothing}, // the first may have deleted whom the second did not find
				{deletion.SawNothing, deletion.SawCustomer, deletion.SawCustomer},
			} {
				h := byHand(t, db, inTurn(lost(tt.first), lost(tt.second), notFoundLikePolar()))
				eventID := string(tt.first) + "," + string(tt.second)
				h.accept(t, newDeletion(eventID, "u1"))
				for range 3 {
					h.work(t, eventID)
				}
				attempts, _ := h.applier.seen()
				require.Equal(t, tt.want, attempts[2].LostSaw, eventID)
			}
		})
	})
}
