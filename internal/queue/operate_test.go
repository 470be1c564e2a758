package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// desk is an operator with the log of what was done.
type desk struct {
	*queue.Operator

	logs *observer.ObservedLogs
}

func operator(t testing.TB, db *database.DB) desk {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o, err := queue.NewOperator(queue.OperatorOptions{
		Driver: db.Driver(), DB: db.Main, Reader: db.Reader, Logger: zap.New(core),
		LogID: queue.LogID(queue.LogPlain, []byte("key")), Now: time.Now, By: "cli:alice",
	})
	require.NoError(t, err)
	return desk{o, logs}
}

// list returns the chosen deletions.
func (d desk) list(t testing.TB, f queue.Filter) []queue.Record {
	t.Helper()
	var all []queue.Record
	for r, err := range d.List(t.Context(), f) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// only returns the one deletion of the event.
func (d desk) only(t testing.TB, eventID string) queue.Record {
	t.Helper()
	for _, r := range d.list(t, queue.Filter{}) {
		if r.EventID == eventID {
			found, err := d.Find(t.Context(), r.ID)
			require.NoError(t, err)
			return found
		}
	}
	require.FailNow(t, "no such deletion", eventID)
	return queue.Record{}
}

// wait returns the deletion once it is in the state.
func (d desk) wait(t testing.TB, eventID string, state queue.State) queue.Record {
	t.Helper()
	var r queue.Record
	require.Eventually(t, func() bool { r = d.only(t, eventID); return r.State == state && !r.Running },
		20*time.Second, 20*time.Millisecond, "never %s", state)
	return r
}

// rejectedUntil holds every deletion as rejected until told otherwise.
type rejectedUntil struct {
	mutex sync.Mutex
	clear bool
}

func (r *rejectedUntil) apply(ctx context.Context, a event.Attempt) (event.Result, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.clear {
		return deleted(ctx, a)
	}
	return event.Result{PolarStatus: 422}, fault.New(fault.Held, string(event.HoldRejected), "no")
}

func (r *rejectedUntil) allow() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.clear = true
}

func requireRefused(t testing.TB, err error, because string) {
	t.Helper()
	refusal := (*queue.RefusedError)(nil)
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Sentence, because)
}

func TestAHeldDeletionIsApprovedAndDone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		polar := &rejectedUntil{}
		h, d := start(t, db, polar.apply), operator(t, db)
		h.accept(t, deletion("e1", "u1"))
		held := d.wait(t, "e1", queue.StateHeld)
		require.Equal(t, event.HoldRejected, held.HoldReason)
		require.WithinDuration(t, time.Now(), held.HeldAt, time.Minute)
		require.Equal(t, 422, held.PolarStatus)

		polar.allow()
		require.NoError(t, d.Approve(t.Context(), held.ID))
		done := d.wait(t, "e1", queue.StateDone)
		require.Equal(t, event.OutcomeDeleted, done.Outcome)
		require.Equal(t, []event.HoldReason{event.HoldRejected}, done.Approved)
		require.Len(t, done.Actions, 1)
		require.Equal(t, "cli:alice", done.Actions[0].By)
		require.Equal(t, "approve", done.Actions[0].Action)
		require.Equal(t, "rejected", done.Actions[0].Reason)
		require.Contains(t, h.job(t, "e1").metadata, `"approved"`)

		line := d.logs.FilterMessage("operator action").All()[0].ContextMap()
		require.Equal(t, map[string]any{
			"action": "approve", "by": "cli:alice", "reason": "rejected", "deletion_id": held.ID,
			"provider": "clerk", "event_id": "e1", "external_id": "u1",
		}, line)
	})
}

func TestRetryLetsNothingPass(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		polar := &rejectedUntil{}
		h, d := start(t, db, polar.apply), operator(t, db)
		h.accept(t, deletion("e1", "u1"))
		held := d.wait(t, "e1", queue.StateHeld)
		require.NoError(t, d.Retry(t.Context(), held.ID))
		h.applier.wait(t, 2)
		again := d.wait(t, "e1", queue.StateHeld)
		require.Empty(t, again.Approved)
		require.Equal(t, "retry", again.Actions[0].Action)
	})
}

func TestAWaitingDeletionIsTriedNow(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		leaveStored(t, db, "state = 'retryable', attempt = 3, scheduled_at = in(60 minutes)")
		h, d := start(t, db, deleted), operator(t, db)
		waiting := d.only(t, "e1")
		require.Equal(t, queue.StateWaiting, waiting.State)
		require.WithinDuration(t, time.Now().Add(time.Hour), waiting.NextTryAt, time.Minute)
		require.NoError(t, d.Retry(t.Context(), waiting.ID))
		require.Equal(t, 4, h.applier.wait(t, 1)[0].Number)
		d.wait(t, "e1", queue.StateDone)
	})
}

func TestWhatIsFinishedOrRunningIsRefused(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		leaveStored(t, db, "state = 'running', attempt = 1")
		d := operator(t, db)
		id := d.only(t, "e1").ID
		requireRefused(t, d.Retry(t.Context(), id), "being tried right now")
		requireRefused(t, d.Approve(t.Context(), id), "only held deletions")

		_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = 'completed', finalized_at = created_at")
		require.NoError(t, err)
		requireRefused(t, d.Retry(t.Context(), id), "never tried again")
		requireRefused(t, d.Approve(t.Context(), id), "only held deletions")
		_, err = d.Cancel(t.Context(), id, "why")
		requireRefused(t, err, "it is done already")
		requireRefused(t, d.Retry(t.Context(), id+1), "no such deletion")
		_, err = d.Find(t.Context(), id+1)
		requireRefused(t, err, "no such deletion")
		require.Empty(t, d.only(t, "e1").Actions)
		require.Zero(t, d.logs.Len())
	})
}

func TestWhatNoRequestCanNameCannotBeApproved(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{}, fault.New(fault.Held, string(event.HoldUnaddressable), "slash")
		}), operator(t, db)
		h.accept(t, unusable("e1"), deletion("e2", "a/b"))
		for _, eventID := range []string{"e1", "e2"} {
			requireRefused(t, d.Approve(t.Context(), d.wait(t, eventID, queue.StateHeld).ID), "Polar's dashboard")
		}
		chosen, err := d.Approvables(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, chosen)
		d.wait(t, "e1", queue.StateHeld)
		require.Empty(t, d.only(t, "e2").Actions)
	})
}

func TestACancelledDeletionIsCountedAndLoggedByOneServerAndRecognisedAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		polar := &rejectedUntil{}
		h, second, d := start(t, db, polar.apply), start(t, db, polar.apply), operator(t, db)
		h.accept(t, deletion("e1", "u1"), unusable("e2"))
		for _, eventID := range []string{"e1", "e2"} {
			stopping, err := d.Cancel(t.Context(), d.wait(t, eventID, queue.StateHeld).ID, "asked to stay")
			require.NoError(t, err)
			require.False(t, stopping)
		}
		cancelled := d.only(t, "e1")
		require.Equal(t, queue.StateCancelled, cancelled.State)
		require.Equal(t, event.OutcomeCancelled, cancelled.Outcome)
		require.Equal(t, "asked to stay", cancelled.Actions[0].Reason)
		require.WithinDuration(t, time.Now(), cancelled.FinishedAt, time.Minute)

		counted := func() int { return h.cancelled(t) + second.cancelled(t) }
		require.Eventually(t, func() bool { return counted() == 2 }, 20*time.Second, 20*time.Millisecond)
		lines := append(h.logs.FilterMessage("deletion finished").All(), second.logs.FilterMessage("deletion finished").All()...)
		require.Len(t, lines, 2)
		require.Equal(t, "cancelled", lines[0].ContextMap()["outcome"])
		require.Equal(t, "cli:alice", lines[0].ContextMap()["by"])

		// A server that starts later counts nothing again, nor do those that run.
		third := start(t, db, polar.apply)
		h.accept(t, deletion("e3", "u3"))
		_, err := d.Cancel(t.Context(), d.wait(t, "e3", queue.StateHeld).ID, "again")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return counted()+third.cancelled(t) == 3 }, 20*time.Second, 20*time.Millisecond)

		receipt, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Duplicates: 1}, receipt)
	})
}

// cancelled is what this server has counted.
func (h *harness) cancelled(t testing.TB) int {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	total := 0
	for _, family := range families {
		if family.GetName() != "polar_bridge_deletions_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetValue() == "cancelled" {
					total += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return total
}

func TestWhatIsBeingTriedIsToldToStop(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, func(ctx context.Context, _ event.Attempt) (event.Result, error) {
			<-ctx.Done()
			return event.Result{AnswerLost: true}, context.Cause(ctx)
		}), operator(t, db)
		h.accept(t, deletion("e1", "u1"))
		h.applier.wait(t, 1)
		stopping, err := d.Cancel(t.Context(), d.only(t, "e1").ID, "wrong person")
		require.NoError(t, err)
		require.True(t, stopping)
		cancelled := d.wait(t, "e1", queue.StateCancelled)
		require.True(t, cancelled.AnswerLost)
		require.Equal(t, "wrong person", cancelled.Actions[0].Reason)
		require.Eventually(t, func() bool { return h.cancelled(t) == 1 }, 20*time.Second, 20*time.Millisecond)
	})
}

func TestAPauseLastsOverRestartsAndTakesWebhooks(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		d := operator(t, db)
		changed, err := d.Pause(t.Context()) // no server has ever run
		require.NoError(t, err)
		require.True(t, changed)
		changed, err = d.Pause(t.Context())
		require.NoError(t, err)
		require.False(t, changed)
		pause, err := d.Paused(t.Context())
		require.NoError(t, err)
		require.Equal(t, "cli:alice", pause.By)
		require.WithinDuration(t, time.Now(), pause.Since, time.Minute)

		// As after two days without any server, when River would clean up.
		_, err = db.Main.ExecContext(t.Context(), "UPDATE river_queue SET updated_at = '2020-01-01 00:00:00'")
		require.NoError(t, err)
		dry := start(t, db, deleted, func(o *queue.Options) { o.DryRun = true }) // serves one of the two queues only
		dry.stop(t)
		var stale int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_queue WHERE updated_at < '2021-01-01 00:00:00'").Scan(&stale))
		require.Zero(t, stale)
		h := start(t, db, deleted)
		h.accept(t, deletion("e1", "u1"))
		h.stop(t)
		h = start(t, db, deleted)
		paused, err := h.Paused(t.Context())
		require.NoError(t, err)
		require.True(t, paused)
		require.Never(t, func() bool { attempts, _ := h.applier.seen(); return len(attempts) > 0 }, 1500*time.Millisecond, 100*time.Millisecond)

		changed, err = d.Resume(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		d.wait(t, "e1", queue.StateDone)
		stats, err := d.Stats(t.Context())
		require.NoError(t, err)
		require.False(t, stats.Pause.Paused)
		require.Len(t, d.logs.FilterMessage("operator action").All(), 2)
	})
}
