package queue_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// halted is an attempt that a test stops at a point and lets go on from there.
type halted struct {
	arrived, goOn chan struct{}
	taken         atomic.Bool
}

func newHalted() *halted { return &halted{arrived: make(chan struct{}), goOn: make(chan struct{})} }

// here stops whoever comes first until release.
func (p *halted) here() {
	if p.taken.CompareAndSwap(false, true) {
		close(p.arrived)
		<-p.goOn
	}
}

// begin runs the job in the background and returns once it stands at the point.
// finish lets it go on and returns for how long it snoozes.
func (p *halted) begin(t *testing.T, h *harness, r row) (finish func() time.Duration) {
	t.Helper()
	ended := make(chan time.Duration, 1)
	go func() { ended <- h.workJob(t, r) }()
	<-p.arrived
	return func() time.Duration {
		close(p.goOn)
		return <-ended
	}
}

// before halts before the request is begun, during after it was begun.
func (p *halted) before(next apply) apply {
	return func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		p.here()
		return next(context.WithoutCancel(ctx), a, journal)
	}
}

func (p *halted) during(next apply) apply {
	return func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		return next(ctx, a, haltingJournal{p, journal})
	}
}

type haltingJournal struct {
	point   *halted
	journal deletion.Journal
}

func (j haltingJournal) BeginSend(ctx context.Context, s deletion.Sending) deletion.Decision {
	refusal := j.journal.BeginSend(ctx, s)
	if refusal == nil {
		j.point.here()
	}
	return refusal
}

// replicas are two queues with one database and one clock.
func replicas(t *testing.T, db *database.DB, first, second apply) (a, b *harness) {
	t.Helper()
	a = byHand(t, db, first)
	return a, sharing(t, db, a.clock, second)
}

func TestAJobThatRunsTwiceAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("sends one request however often it runs", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			const runs = 8
			var all sync.WaitGroup
			all.Add(runs)
			a, b := replicas(t, db, nil, nil)
			together := func(ctx context.Context, at deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				all.Done()
				all.Wait() // all of them have looked before one of them sends
				return deletes()(ctx, at, journal)
			}
			a.applier.apply, b.applier.apply = together, together
			a.accept(t, newDeletion("e1", "u1"))
			r := a.row(t, "e1")
			var group sync.WaitGroup
			for i := range runs {
				group.Go(func() { []*harness{a, b}[i%2].workJob(t, r) })
			}
			group.Wait()
			require.Equal(t, 1, a.applier.requests()+b.applier.requests())
			done := a.row(t, "e1")
			require.Equal(t, deletion.StateDone, done.State)
			require.EqualValues(t, 1, done.Attempts)
			require.Equal(t, 1, a.counted(t, "polar_bridge_deletions_total", "deleted")+b.counted(t, "polar_bridge_deletions_total", "deleted"))
		})
	})
	t.Run("waits while the other one has a request on its way, whether it looked before or comes later", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			sending, looking := newHalted(), newHalted()
			a, b := replicas(t, db, sending.during(deletes()), looking.before(deletes()))
			a.accept(t, newDeletion("e1", "u1"))
			r := a.row(t, "e1")
			finishB := looking.begin(t, b, r)
			finishA := sending.begin(t, a, r)
			a.clock.step(5 * time.Second)
			require.Equal(t, queue.InFlight-5*time.Second, b.workJob(t, r), "when that request is surely over")
			require.NotEqual(t, complete, finishB(), "it looks again, at once or then")
			require.Zero(t, b.applier.requests())
			require.Equal(t, complete, finishA())
			require.Equal(t, complete, b.workJob(t, r))
			require.Equal(t, deletion.StateDone, a.row(t, "e1").State)
		})
	})
	t.Run("does nothing once the other one has ended it", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			looking := newHalted()
			a, b := replicas(t, db, deletes(), looking.before(deletes()))
			a.accept(t, newDeletion("e1", "u1"))
			r := a.row(t, "e1")
			finishB := looking.begin(t, b, r)
			require.Equal(t, complete, a.workJob(t, r))
			before := a.row(t, "e1")
			require.Zero(t, finishB(), "it looks at the row once more")
			require.Equal(t, complete, b.workJob(t, r))
			require.Zero(t, b.applier.requests())
			require.Equal(t, before, a.row(t, "e1"))
		})
	})
	t.Run("does not call absent whom the other one may have deleted since it looked", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			looking := newHalted()
			a, b := replicas(t, db, sends(deletion.Observed{Sent: true}, networkError()), looking.before(notFoundLikePolar()))
			a.accept(t, newDeletion("e1", "u1"))
			r := a.row(t, "e1")
			finishB := looking.begin(t, b, r) // it has read that nothing was sent
			require.Positive(t, a.workJob(t, r))
			finishB()
			for range 3 { // it may have to look again first
				b.work(t, "e1")
			}
			done := a.row(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, done.Outcome, "a request was sent and its answer lost: what is gone now was deleted")
			require.Equal(t, deletion.ConfirmedByRetry, done.ConfirmedBy)
		})
	})
}

// notFoundLikePolar sends a request for a customer who is gone and concludes from
// it what deletion.Deleter does.
func notFoundLikePolar() apply {
	return func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		decision := doneNotFound()
		if a.AnswerLost {
			decision = deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByRetry}
		}
		return sends(deletion.Observed{PolarStatus: 404}, decision)(ctx, a, journal)
	}
}

// A process that was stopped (SIGSTOP, a laptop's lid, a virtual machine that is
// moved) goes on in the middle of its attempt after another one took the job.
func TestARunThatStoodStillWhileAnotherTookItsJob(t *testing.T) {
	t.Parallel()
	// overtaken stops a run with its request begun until nobody waits for the
	// answer any more, and then begins another one, which stops as well.
	overtaken := func(t *testing.T, db *database.DB, first, second apply) (a, b *harness, finishA, finishB func() time.Duration) {
		t.Helper()
		stopped, sending := newHalted(), newHalted()
		a, b = replicas(t, db, stopped.during(first), sending.during(second))
		a.accept(t, newDeletion("e1", "u1"))
		r := a.row(t, "e1")
		finishA = stopped.begin(t, a, r)
		a.clock.step(queue.InFlight + time.Second)
		finishB = sending.begin(t, b, r)
		require.True(t, b.row(t, "e1").AnswerLost)
		attempts, _ := b.applier.seen()
		require.True(t, attempts[0].AnswerLost, "the first one may have been answered")
		return a, b, finishA, finishB
	}

	t.Run("does not take the other one's request for its own", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			a, b, finishA, finishB := overtaken(t, db, sends(deletion.Observed{}, networkError()), deletes())
			finishA()
			r := a.row(t, "e1")
			require.NotZero(t, r.sentAt, "the other one's may be done")
			require.True(t, r.Running, "and is on its way")
			finishB()
			done := b.row(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
			require.Equal(t, deletion.ConfirmedByAnswer, done.ConfirmedBy)
		})
	})
	t.Run("does not hold what the other one deletes", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			a, _, finishA, finishB := overtaken(t, db, sends(answered(422), hold(deletion.HoldRejected)), deletes())
			require.NotEqual(t, complete, finishA(), "the other one may need the job")
			finishB()
			require.Equal(t, deletion.StateDone, a.row(t, "e1").State)
			require.Equal(t, deletion.OutcomeDeleted, a.row(t, "e1").Outcome)
		})
	})
	t.Run("leaves behind that an answer was lost, though both end without one", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			a, _, finishA, finishB := overtaken(t, db, sends(deletion.Observed{}, networkError()), sends(deletion.Observed{Sent: true}, networkError()))
			finishB()
			finishA()
			a.applier.apply = notFoundLikePolar()
			a.work(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, a.row(t, "e1").Outcome)
		})
	})
	t.Run("says that it has deleted the customer whom the other one did not find", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			a, b, finishA, finishB := overtaken(t, db, deletes(), sends(deletion.Observed{PolarStatus: 404}, doneNotFound()))
			require.Equal(t, complete, finishB())
			require.Equal(t, deletion.OutcomeNotFound, b.row(t, "e1").Outcome)
			require.Equal(t, complete, finishA())
			done := a.row(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
			require.Equal(t, deletion.ConfirmedByAnswer, done.ConfirmedBy)
			require.Equal(t, 204, *done.PolarStatus)
			require.NotEmpty(t, a.logs.FilterMessage("deletion finished").All())
		})
	})
	t.Run("does not say that nobody was there of whom the other one has deleted", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			a, _, finishA, finishB := overtaken(t, db, sends(deletion.Observed{PolarStatus: 404}, doneNotFound()), deletes())
			finishB()
			before := a.row(t, "e1")
			finishA()
			require.Equal(t, before, a.row(t, "e1"))
		})
	})
	t.Run("sends nothing when it was stopped before it began", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			stopped := newHalted()
			a, b := replicas(t, db, stopped.before(deletes()), sends(answered(503), serverError()))
			a.accept(t, newDeletion("e1", "u1"))
			ctx, interrupt := context.WithCancel(t.Context())
			a.applier.apply = func(_ context.Context, at deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				stopped.here()
				return deletes()(ctx, at, journal)
			}
			finishA := stopped.begin(t, a, a.row(t, "e1"))
			a.clock.step(queue.InFlight + time.Second)
			b.work(t, "e1")
			interrupt() // River's timeout is over once it goes on
			finishA()
			require.Zero(t, a.applier.requests())
			require.EqualValues(t, 1, a.row(t, "e1").Attempts)
		})
	})
	t.Run("changes nothing about a deletion that an operator has sent on its way again", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			stopped := newHalted()
			a := sharing(t, db, longAgo(), stopped.during(sends(answered(422), hold(deletion.HoldRejected))))
			o := operator(t, a)
			a.accept(t, newDeletion("e1", "u1"))
			job := a.row(t, "e1")
			finishA := stopped.begin(t, a, job)
			a.clock.step(queue.InFlight + time.Second)
			require.NoError(t, o.Retry(t.Context(), job.ID))
			before := a.row(t, "e1")
			finishA()
			require.Equal(t, complete, a.workJob(t, job), "its job is done with: there is another one")
			require.Equal(t, before, a.row(t, "e1"))
			a.applier.apply = notFoundLikePolar()
			a.work(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, a.row(t, "e1").Outcome)
		})
	})
}

func TestAJobOfAnOldGenerationDoesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"))
		old := h.row(t, "e1")
		require.NoError(t, o.Retry(t.Context(), old.ID))
		require.NotEqual(t, old.jobID, h.row(t, "e1").jobID)
		require.Equal(t, complete, h.workJob(t, old))
		attempts, _ := h.applier.seen()
		require.Empty(t, attempts)
		require.Equal(t, complete, h.work(t, "e1"))
		require.Equal(t, 1, h.applier.requests())
	})
}

func TestAJobWithoutADeletionIsSaid(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		require.Equal(t, complete, snoozed(t, h.Delete(t.Context(), 7, 4711, 1)))
		line := h.line(t, "a job has no deletion: nothing is done")
		require.EqualValues(t, 4711, line["deletion_id"])
		require.EqualValues(t, 7, line["job_id"])
		require.Equal(t, 1, h.counted(t, "polar_bridge_queue_orphans_total", "job"))
		attempts, _ := h.applier.seen()
		require.Empty(t, attempts)
	})
}
