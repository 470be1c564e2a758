package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestACrashBetweenTheDecisionAndTheEndOfTheJob(t *testing.T) {
	t.Parallel()
	t.Run("of one that is done makes no second request", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := byHand(t, db, deletes())
			h.accept(t, newDeletion("e1", "u1"))
			job := h.row(t, "e1")
			require.Equal(t, complete, h.workJob(t, job))
			before := h.row(t, "e1")
			require.Equal(t, complete, h.workJob(t, job))
			require.Equal(t, 1, h.applier.requests())
			require.Equal(t, before, h.row(t, "e1"))
			require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_total", "deleted"))
		})
	})
	t.Run("of one that is held tries nothing", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := byHand(t, db, decides(hold(deletion.HoldTeam)))
			h.accept(t, newDeletion("e1", "u1"))
			job := h.row(t, "e1")
			h.workJob(t, job)
			require.Equal(t, complete, h.workJob(t, job))
			attempts, _ := h.applier.seen()
			require.Len(t, attempts, 1)
			require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_held_total", "team"))
		})
	})
}

// leaveSent leaves the row as a process does that was killed after begin send.
func (e *environment) leaveSent(t *testing.T) {
	t.Helper()
	e.set(t, "sent_at", queue.Micros(e.now()))
	e.set(t, "in_flight", true)
	e.set(t, "attempts", 1)
}

func TestACrashBetweenBeginSendAndTheAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		seen, gone bool
		confirmed  deletion.Confirmation
	}{
		"with a customer who is gone":        {true, true, deletion.ConfirmedByRetry},
		"with a customer whom nobody saw":    {false, true, deletion.ConfirmedByRetryUnseen},
		"with a customer who is still there": {true, false, deletion.ConfirmedByAnswer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				e := newEnvironment(t, db)
				if !tt.gone {
					e.customer("u1")
				}
				e.accept(t, newDeletion("e1", "u1"))
				e.leaveSent(t)
				if tt.seen {
					e.set(t, "sent_saw", "customer")
				}
				require.True(t, e.row(t, "e1").Running, "nobody can know that it was killed")
				require.Equal(t, queue.InFlight, e.work(t, "e1"), "the request may still be on its way")
				require.Zero(t, e.polar.CallsOf(polartest.OperationDelete))
				_, err := e.operator.Cancel(t.Context(), e.row(t, "e1").ID, "wrong person")
				requireRefused(t, err, "on its way")

				e.clock.step(queue.InFlight)
				require.Equal(t, complete, e.work(t, "e1"))
				r := e.row(t, "e1")
				require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
				require.EqualValues(t, 2, r.Attempts)
				require.Equal(t, tt.confirmed, r.ConfirmedBy)
			})
		})
	}
}

// What the killed process has left on the row must not keep the next attempts'
// decisions from it.
func TestAfterACrashInMidRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(t *testing.T, e *environment)
		want    func(t *testing.T, r row)
	}{
		"a guard holds": {func(t *testing.T, e *environment) {
			t.Helper()
			e.polar.AddCustomer(polartest.Customer{ExternalID: "u1", Type: "team", CreatedAt: e.now().Add(-time.Hour)})
		}, func(t *testing.T, r row) {
			t.Helper()
			require.Equal(t, deletion.HoldTeam, r.HoldReason)
		}},
		"a lookup that fails counts": {func(t *testing.T, e *environment) {
			t.Helper()
			e.polar.SetFault(polartest.InternalError())
		}, func(t *testing.T, r row) {
			t.Helper()
			require.EqualValues(t, 1, r.Failures)
			require.Equal(t, "server_error", r.Result)
			require.Equal(t, deletion.StateWaiting, r.State)
		}},
		"a failure is remembered as long as it takes": {func(t *testing.T, e *environment) {
			t.Helper()
			e.set(t, "failing_for", queue.GiveUpAfter.Microseconds())
			e.polar.SetFault(polartest.InternalError())
		}, func(t *testing.T, r row) {
			t.Helper()
			require.Equal(t, deletion.HoldExhausted, r.HoldReason)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				e := newEnvironment(t, db)
				e.accept(t, newDeletion("e1", "u1"))
				e.leaveSent(t)
				e.clock.step(queue.InFlight)
				tt.prepare(t, e)
				e.work(t, "e1")
				tt.want(t, e.row(t, "e1"))
				require.True(t, e.row(t, "e1").AnswerLost)
			})
		})
	}
}

func TestACrashBeforeBeginSendIsNoLostAnswer(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		e.accept(t, newDeletion("e1", "u1"))
		ctx, kill := context.WithCancel(t.Context())
		e.wire.onceAt(afterLookup, kill)
		r := e.row(t, "e1")
		snoozed(t, e.Delete(ctx, r.jobID, r.ID, r.Generation))
		require.Zero(t, e.row(t, "e1").sentAt)
		e.clock.step(time.Minute)
		e.workAll(t)
		require.Equal(t, deletion.OutcomeNotFound, e.row(t, "e1").Outcome)
		require.Equal(t, 1, e.polar.CallsOf(polartest.OperationDelete))
	})
}

// leaveRunning stores a deletion as a process that was killed in mid-request
// leaves it, with its job.
func leaveRunning(t *testing.T, db *database.DB, attempted string) *harness {
	t.Helper()
	h := byHand(t, db, deletes())
	h.accept(t, newDeletion("e1", "u1"))
	h.set(t, "sent_at", queue.Micros(time.Now()))
	h.set(t, "in_flight", true)
	_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = "+attempted)
	require.NoError(t, err)
	return h
}

func TestAKilledProcessesDeletionsAreTakenBackAtOnceOnSQLite(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := leaveRunning(t, db, "datetime('now', 'subsec')")
	_, err := db.Main.ExecContext(t.Context(), "INSERT INTO river_leader (leader_id, elected_at, expires_at) VALUES ('killed', datetime('now'), datetime('now', '+1 hour'))")
	require.NoError(t, err)

	count, err := h.ResetRunning(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, count)
	require.False(t, h.row(t, "e1").Running, "nobody waits for that answer")
	require.True(t, h.row(t, "e1").AnswerLost)

	began, lost := time.Now(), stalls(t)
	next := start(t, db, deletes())
	got := next.applier.wait(t, 1)[0]
	require.Less(t, time.Since(began)-lost(), 15*time.Second, "nobody waits for the rescue, which comes after 20 s")
	require.True(t, got.AnswerLost)
	next.wait(t, "e1", deletion.StateDone)
}

func TestAKilledReplicasDeletionsAreTakenBackWithinAMinuteOnPostgres(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	h := leaveRunning(t, db, "now() - interval '30 seconds'")
	h.set(t, "sent_at", queue.Micros(time.Now().Add(-30*time.Second)))

	next := start(t, db, deletes())
	got := next.applier.wait(t, 1)[0]
	require.True(t, got.AnswerLost)
	next.wait(t, "e1", deletion.StateDone)
}

func TestAStopInMidAttempt(t *testing.T) {
	t.Parallel()
	t.Run("costs nothing when no request was sent", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := start(t, db, func(ctx context.Context, _ deletion.Attempt, _ deletion.Journal) (deletion.Observed, deletion.Decision) {
				<-ctx.Done()
				return deletion.Observed{}, deletion.Wait{Reason: deletion.WaitStopping, Err: context.Cause(ctx)}
			})
			h.accept(t, newDeletion("e1", "u1"))
			h.applier.wait(t, 1)
			h.stop(t)
			r := h.row(t, "e1")
			require.Zero(t, r.Attempts)
			require.Zero(t, r.Failures)

			next := start(t, db, deletes())
			require.False(t, next.applier.wait(t, 1)[0].AnswerLost)
			next.wait(t, "e1", deletion.StateDone)
		})
	})
	t.Run("is remembered when its request may have been done", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := start(t, db, func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				seen, decision := sends(deletion.Observed{Sent: true}, networkError())(ctx, a, journal)
				<-ctx.Done()
				return seen, decision
			})
			h.accept(t, newDeletion("e1", "u1"))
			h.applier.wait(t, 1)
			h.stop(t)
			require.True(t, h.row(t, "e1").AnswerLost)
			require.False(t, h.row(t, "e1").Running)

			next := start(t, db, deletes())
			require.True(t, next.applier.wait(t, 1)[0].AnswerLost)
			next.wait(t, "e1", deletion.StateDone)
		})
	})
	t.Run("waits for the decision on what was deleted", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			stopping := make(chan struct{})
			h := start(t, db, func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				seen, decision := deletes()(ctx, a, journal)
				<-stopping
				return seen, decision
			}, verifying(&verifier{verify: gone}, time.Hour))
			h.accept(t, newDeletion("e1", "u1"))
			require.Eventually(t, func() bool { return h.applier.requests() == 1 }, time.Minute, 10*time.Millisecond)
			time.AfterFunc(100*time.Millisecond, func() { close(stopping) })
			h.stop(t)
			r := h.row(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
			require.Equal(t, deletion.VerificationPending, r.Verification)
			require.Equal(t, "scheduled", h.jobState(t, r.jobID))
		})
	})
}

func TestStoppingIsBoundedByTheContext(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	release := make(chan struct{})
	h := start(t, db, func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		seen, decision := deletes()(ctx, a, journal)
		<-release // deaf to ctx
		return seen, decision
	})
	h.accept(t, newDeletion("e1", "u1"))
	require.Eventually(t, func() bool { return h.applier.requests() == 1 }, time.Minute, 10*time.Millisecond)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		err := h.StopWork(ctx)
		h.StopCommits()
		stopped <- err
	}()
	select {
	case err := <-stopped:
		require.ErrorIs(t, err, context.DeadlineExceeded)
	case <-time.After(time.Minute):
		t.Error("it waits for the attempt, which ends below")
	}
	close(release)
	<-h.Store().Client.Stopped()
	r := h.row(t, "e1")
	require.Equal(t, deletion.StateWaiting, r.State)
	require.True(t, r.AnswerLost, "what nobody could write down any more may have been done")
}
