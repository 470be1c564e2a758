package queue_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// operator is somebody at the commands beside the queue.
func operator(t testing.TB, h *harness) *ops.Operator {
	t.Helper()
	bindings, err := binding.NewStore(h.db.Main, h.db.SQL)
	require.NoError(t, err)
	o, err := ops.New(ops.Options{
		Store: h.Store(), Bindings: bindings, SQL: h.db.SQL, DB: h.db.Main, Reader: h.db.Reader, Logger: zap.NewNop(),
		LogID: queue.LogID(queue.LogPlain, []byte("key")), Now: h.now, By: "cli:alice",
	})
	require.NoError(t, err)
	return o
}

func requireRefused(t testing.TB, err error, because string) {
	t.Helper()
	refusal := (*ops.RefusedError)(nil)
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Sentence, because)
}

func TestAHeldDeletionIsApprovedAndDone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, inTurn(sends(saw(ada(), answered(404)), hold(deletion.HoldTeam)), deletes()))
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"))
		held := h.wait(t, "e1", deletion.StateHeld)
		require.NoError(t, o.Approve(t.Context(), held.ID, ""))
		done := h.wait(t, "e1", deletion.StateDone)
		require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
		require.Equal(t, []deletion.Approval{{Reason: deletion.HoldTeam, CustomerID: "c-ada"}}, done.Approved)
		require.Equal(t, done.Approved, h.applier.wait(t, 2)[1].Approved)
		require.Equal(t, held.Generation+1, done.Generation)
	})
}

func TestRetryLetsNothingPass(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, sends(answered(422), hold(deletion.HoldRejected)))
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"))
		held := h.wait(t, "e1", deletion.StateHeld)
		require.NoError(t, o.Retry(t.Context(), held.ID))
		require.Empty(t, h.applier.wait(t, 2)[1].Approved)
		require.Empty(t, h.wait(t, "e1", deletion.StateHeld).Approved)
	})
}

func TestAWaitingDeletionIsTriedNow(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, inTurn(sends(answered(429), pause(time.Hour)), deletes()))
		h.accept(t, newDeletion("e1", "u1"))
		waiting := h.waitTried(t, "e1")
		require.WithinDuration(t, time.Now().Add(time.Hour), waiting.NextTryAt, time.Minute)
		require.NoError(t, operator(t, h).Retry(t.Context(), waiting.ID))
		h.wait(t, "e1", deletion.StateDone)
	})
}

func TestADeletionSentBackIsTriedForSevenDaysFromThen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, sends(answered(503), serverError()))
		h.accept(t, newDeletion("e1", "u1"))
		h.set(t, "failing_for", queue.GiveUpAfter.Microseconds())
		h.work(t, "e1")
		require.Equal(t, deletion.HoldExhausted, h.row(t, "e1").HoldReason)
		require.NoError(t, operator(t, h).Retry(t.Context(), h.row(t, "e1").ID))
		require.Positive(t, h.work(t, "e1"))
		r := h.row(t, "e1")
		require.Equal(t, deletion.StateWaiting, r.State)
		require.EqualValues(t, 1, r.Failures)
	})
}

func TestACancelledDeletionIsCountedAndLoggedByOneServerAndRecognisedAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		rejects := sends(answered(422), hold(deletion.HoldRejected))
		h, second := start(t, db, rejects), start(t, db, rejects)
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"), unusable("e2"))
		for _, eventID := range []string{"e1", "e2"} {
			sent, err := o.Cancel(t.Context(), h.wait(t, eventID, deletion.StateHeld).ID, "asked to stay")
			require.NoError(t, err)
			require.False(t, sent)
		}
		cancelled := h.row(t, "e1")
		require.Equal(t, deletion.StateCancelled, cancelled.State)
		require.Equal(t, deletion.OutcomeCancelled, cancelled.Outcome)
		require.WithinDuration(t, time.Now(), cancelled.FinishedAt, time.Minute)
		require.Empty(t, cancelled.HoldReason)

		counted := func(all ...*harness) (n int) {
			for _, h := range all {
				n += h.counted(t, "polar_bridge_deletions_total", "cancelled")
			}
			return n
		}
		require.Eventually(t, func() bool { return counted(h, second) == 2 }, time.Minute, 20*time.Millisecond)
		var lines []observer.LoggedEntry
		require.Eventually(t, func() bool { // a line follows what it counts
			lines = append(h.logs.FilterMessage("deletion finished").All(), second.logs.FilterMessage("deletion finished").All()...)
			return len(lines) == 2
		}, 20*time.Second, 20*time.Millisecond)
		require.Equal(t, "cancelled", lines[0].ContextMap()["outcome"])
		require.Equal(t, "cli:alice", lines[0].ContextMap()["by"])
		require.Equal(t, "asked to stay", lines[0].ContextMap()["reason"])

		// A server that starts later counts nothing again, nor do those that run.
		third := start(t, db, rejects)
		h.accept(t, newDeletion("e3", "u3"))
		_, err := o.Cancel(t.Context(), h.wait(t, "e3", deletion.StateHeld).ID, "again")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return counted(h, second, third) == 3 }, time.Minute, 20*time.Millisecond)
		for _, h := range []*harness{h, second, third} {
			n, err := h.ReportCancelled(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
		}

		receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: 1}, receipt)
	})
}

func TestAPauseLastsOverRestartsAndTakesWebhooks(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := prepare(t, db, deletes(), nil)
		o := operator(t, h)
		changed, err := o.Pause(t.Context(), "") // no server has ever run
		require.NoError(t, err)
		require.True(t, changed)

		// As after two days without any server, when River would clean up.
		_, err = db.Main.ExecContext(t.Context(), "UPDATE river_queue SET updated_at = '2020-01-01 00:00:00'")
		require.NoError(t, err)
		dry := start(t, db, deletes(), func(o *queue.Options) { o.DryRun = true }) // serves one of the two queues only
		dry.stop(t)
		var stale int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_queue WHERE updated_at < '2021-01-01 00:00:00'").Scan(&stale))
		require.Zero(t, stale)
		first := start(t, db, deletes())
		first.accept(t, newDeletion("e1", "u1"))
		first.stop(t)
		next := start(t, db, deletes())
		paused, err := next.Paused(t.Context())
		require.NoError(t, err)
		require.True(t, paused)
		require.Never(t, func() bool { attempts, _ := next.applier.seen(); return len(attempts) > 0 }, 1500*time.Millisecond, 100*time.Millisecond)

		changed, err = o.Resume(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		next.wait(t, "e1", deletion.StateDone)
	})
}

func TestOperatorsWhoRaceEachOtherAndTheWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		const deletions, operators = 30, 4
		fill(t, db, deletions, deletion.StateHeld, deletion.HoldTeam)
		h := start(t, db, deletes())
		var group sync.WaitGroup
		var mutex sync.Mutex
		approved, cancelled := map[int64]int{}, map[int64]int{}
		for i := range operators {
			o := operator(t, h)
			held := listed(t, o, ops.Filter{State: deletion.StateHeld})
			group.Go(func() {
				for _, r := range held {
					var err error
					counts := approved
					if i%2 == 0 {
						err = o.Approve(t.Context(), r.ID, "")
					} else {
						counts = cancelled
						_, err = o.Cancel(t.Context(), r.ID, "race")
					}
					mutex.Lock()
					if err == nil {
						counts[r.ID]++
					}
					mutex.Unlock()
				}
			})
		}
		group.Wait()
		o := operator(t, h)
		require.Eventually(t, func() bool { return len(listed(t, o, ops.Filter{State: deletion.StateWaiting})) == 0 }, time.Minute, 50*time.Millisecond)
		attempts, _ := h.applier.seen()
		tried := map[string]int{}
		for _, a := range attempts {
			tried[a.EventID]++
		}
		for _, listed := range listed(t, o, ops.Filter{}) {
			r, err := o.Find(t.Context(), listed.ID)
			require.NoError(t, err)
			require.LessOrEqual(t, tried[r.EventID], 1)
			require.Positive(t, approved[r.ID]+cancelled[r.ID], "somebody decided")
			require.Len(t, r.Actions, approved[r.ID]+cancelled[r.ID], "every success stands in the record")
			switch r.State {
			case deletion.StateDone:
				require.Equal(t, 1, tried[r.EventID])
			case deletion.StateCancelled:
				require.Positive(t, cancelled[r.ID])
			case deletion.StateWaiting, deletion.StateHeld, deletion.StateReappeared:
				require.FailNow(t, "it is not finished", fmt.Sprint(r))
			}
			if approved[r.ID] == 0 {
				require.Zero(t, tried[r.EventID], "cancelled and never approved")
			}
		}
	})
}
