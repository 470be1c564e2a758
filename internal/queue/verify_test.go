package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// deletesAda is a deletion whose lookup found somebody.
func deletesAda() apply { return sends(saw(ada(), answered(204)), doneDeleted()) }

func found(deletion.Attempt, int) look {
	again := deletion.Customer{ID: "c-again", Type: "individual", CreatedAt: ada().CreatedAt.AddDate(1, 0, 0)}
	return look{found: deletion.VerificationFound, seen: saw(again, answered(200))}
}

// waitVerified waits until the deletion was verified.
func (h *harness) waitVerified(t *testing.T, eventID string) row {
	t.Helper()
	var r row
	require.Eventually(t, func() bool { r = h.row(t, eventID); return !r.VerifiedAt.IsZero() }, time.Minute, 10*time.Millisecond)
	return r
}

// verified is a deletion by hand that is done and waits for its verification.
func verified(t *testing.T, db *database.DB, v *verifier) (*harness, row) {
	t.Helper()
	h := byHand(t, db, deletesAda(), verifying(v, time.Hour))
	h.accept(t, newDeletion("e1", "u1"))
	require.Equal(t, complete, h.work(t, "e1"))
	return h, h.row(t, "e1")
}

func (h *harness) verify(t *testing.T, r row) time.Duration {
	t.Helper()
	return snoozed(t, h.Verify(t.Context(), r.jobID, r.ID, r.Generation))
}

func TestADeletionIsVerifiedAndSaysSo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: gone}
		h := start(t, db, deletesAda(), verifying(v, 50*time.Millisecond))
		h.accept(t, newDeletion("e1", "u1"))
		r := h.waitVerified(t, "e1")
		require.Equal(t, deletion.VerificationGone, r.Verification)
		require.WithinDuration(t, time.Now(), r.VerifiedAt, time.Minute)
		require.Equal(t, deletion.StateDone, r.State)
		require.Equal(t, deletion.OutcomeDeleted, r.Outcome, "it is what it was")
		require.Equal(t, deletion.SubscriptionsEndedNotAsked, r.SubscriptionsEnded)
		require.Equal(t, ada(), r.Customer())
		require.Zero(t, r.jobID)

		got := v.wait(t, 1)
		require.Len(t, got, 1)
		require.Equal(t, "u1", got[0].ExternalID)
		require.Equal(t, "clerk", got[0].Provider)
		require.Equal(t, "c-ada", got[0].Seen.ID)
		line := h.line(t, "verification finished")
		require.Equal(t, "gone", line["outcome"])
		require.EqualValues(t, r.ID, line["deletion_id"])
		require.Equal(t, 1, h.counted(t, "polar_bridge_verifications_total", "gone"))
	})
}

func TestAVerificationIsStoredWithTheDecision(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, r := verified(t, db, &verifier{verify: gone})
		require.Equal(t, deletion.VerificationPending, r.Verification)
		require.Equal(t, h.now().Add(time.Hour), r.VerifyAt)
		require.Equal(t, "scheduled", h.jobState(t, r.jobID))
		var jobs int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'polar_bridge_verify'").Scan(&jobs))
		require.Equal(t, 1, jobs)
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Empty(t, depth.Pending, "nobody misses it")
	})
}

// What was deleted must not become "never there" because of our own database.
func TestADeletionWhoseVerificationCannotBeStoredIsNotForgotten(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		allow := refuse(t, db, "river_job", "NEW.kind = 'polar_bridge_verify'")
		h := start(t, db, deletesAda(), verifying(&verifier{verify: gone}, time.Hour))
		h.accept(t, newDeletion("e1", "u1"))
		h.line(t, "a decision could not be written: trying again")
		require.Equal(t, deletion.StateWaiting, h.row(t, "e1").State)
		require.True(t, h.row(t, "e1").AnswerLost)
		allow()
		r := h.wait(t, "e1", deletion.StateDone)
		require.Equal(t, deletion.VerificationPending, r.Verification)
		require.Equal(t, 1, h.applier.requests())
	})
}

func TestSomebodyFoundAgainStandsInFrontOfAHuman(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletesAda(), verifying(&verifier{verify: found}, 50*time.Millisecond))
		h.accept(t, newDeletion("e1", "u1"))
		r := h.wait(t, "e1", deletion.StateReappeared)
		require.Equal(t, deletion.VerificationFound, r.Verification)
		require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
		require.Equal(t, "c-again", r.CustomerID)
		line := h.line(t, "customer reappeared after the deletion")
		require.EqualValues(t, r.ID, line["deletion_id"])
		require.Equal(t, zapcore.ErrorLevel, h.logs.FilterMessage("customer reappeared after the deletion").All()[0].Level)
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Equal(t, tally(deletion.StateReappeared), depth.Pending)
		require.Equal(t, 1, h.counted(t, "polar_bridge_verifications_total", "found"))

		o := operator(t, h)
		requireRefused(t, o.Approve(t.Context(), r.ID, ""), "would delete nobody")
		requireRefused(t, o.Retry(t.Context(), r.ID), "acknowledge")
		_, err = o.Cancel(t.Context(), r.ID, "no")
		requireRefused(t, err, "reappeared already")
		require.NoError(t, o.Acknowledge(t.Context(), r.ID))
		require.Equal(t, deletion.StateDone, h.row(t, "e1").State)
		requireRefused(t, o.Acknowledge(t.Context(), r.ID), "only those whose customer reappeared")
		require.Equal(t, 1, h.applier.requests(), "nobody was deleted for it")
		require.Len(t, listed(t, o, ops.Filter{State: deletion.StateDone}), 1)
	})
}

func TestOnlyWhatWasDeletedIsVerified(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, sends(answered(404), doneNotFound()), verifying(&verifier{verify: gone}, time.Millisecond))
		h.accept(t, newDeletion("e1", "u1"))
		h.work(t, "e1")
		r := h.row(t, "e1")
		require.Equal(t, deletion.OutcomeNotFound, r.Outcome)
		require.Empty(t, r.Verification)
		require.Zero(t, r.jobID)
	})
}

func TestVerificationsThatWereStoredAreMadeThoughNewOnesAreOff(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := start(t, db, deletesAda(), verifying(&verifier{verify: gone}, time.Second))
	h.accept(t, newDeletion("e1", "u1"))
	h.wait(t, "e1", deletion.StateDone)
	h.stop(t)
	v := &verifier{verify: gone}
	next := start(t, db, deletesAda(), verifying(v, 0))
	v.wait(t, 1)
	next.waitVerified(t, "e1")
	next.accept(t, newDeletion("e2", "u2"))
	require.Empty(t, next.wait(t, "e2", deletion.StateDone).Verification)
}

func TestAVerificationsDecisions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		decision deletion.Decision
		failing  time.Duration
		want     deletion.Verification
		message  string
		reason   string
	}{
		"a failure is tried again":   {serverError(), 0, deletion.VerificationPending, "verification retried", "server_error"},
		"a pause is waited for":      {pause(time.Hour), 0, deletion.VerificationPending, "deletion postponed", "rate_limited"},
		"an odd answer ends it":      {nil, 0, deletion.VerificationError, "verification finished", ""},
		"a week of failures ends it": {serverError(), queue.GiveUpAfter, deletion.VerificationError, "verification finished", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h, r := verified(t, db, &verifier{verify: func(deletion.Attempt, int) look {
					return look{found: deletion.VerificationError, seen: deletion.Observed{PolarStatus: 503}, decision: tt.decision}
				}})
				h.set(t, "failing_for", tt.failing.Microseconds())
				wait := h.verify(t, r)
				require.Equal(t, tt.want == deletion.VerificationPending, wait != complete)
				after := h.row(t, "e1")
				require.Equal(t, tt.want, after.Verification)
				require.Equal(t, deletion.StateDone, after.State)
				require.Empty(t, after.HoldReason)
				line := h.line(t, tt.message)
				if tt.reason != "" {
					require.Equal(t, tt.reason, line["reason"])
				} else {
					require.Equal(t, "error", line["outcome"])
				}
			})
		})
	}
}

func TestAVerificationCountsItsTries(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var tries []int
		h, r := verified(t, db, &verifier{verify: func(a deletion.Attempt, n int) look {
			tries = append(tries, n)
			if n < 3 {
				return look{decision: deletion.Retry{Reason: deletion.RetryReplica, Err: errors.New("still shown")}}
			}
			return gone(a, n)
		}})
		for range 2 {
			require.Positive(t, h.verify(t, r))
		}
		require.Equal(t, complete, h.verify(t, r))
		require.Equal(t, []int{1, 2, 3}, tries)
		require.Equal(t, deletion.VerificationGone, h.row(t, "e1").Verification)
	})
}

func TestAVerificationThatRunsOnceMoreDoesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: found}
		h, r := verified(t, db, v)
		require.Equal(t, complete, h.verify(t, r))
		require.NoError(t, operator(t, h).Acknowledge(t.Context(), r.ID))
		require.Equal(t, complete, h.verify(t, r))
		require.Equal(t, deletion.StateDone, h.row(t, "e1").State)
		require.Len(t, v.seen(), 1)
		require.Equal(t, 1, h.counted(t, "polar_bridge_verifications_total", "found"))
	})
}

// Whom the look found is who was deleted again meanwhile.
func TestAVerificationOfADeletionThatWasDoneAgainMeanwhileSaysNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{}
		h, r := verified(t, db, v)
		v.verify = func(a deletion.Attempt, n int) look {
			require.NoError(t, operator(t, h).Redo(t.Context(), r.ID, "Polar restored a backup"))
			require.Equal(t, complete, h.work(t, "e1"))
			return found(a, n)
		}
		require.Equal(t, complete, h.verify(t, r))
		again := h.row(t, "e1")
		require.Equal(t, deletion.StateDone, again.State)
		require.Equal(t, deletion.VerificationPending, again.Verification, "another job looks")
		require.Equal(t, ada(), again.Customer())
	})
}

func TestAPanicInAVerificationIsAFailureLikeAnyOther(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, r := verified(t, db, &verifier{verify: func(a deletion.Attempt, n int) look {
			if n == 1 {
				panic("bug") //nolint:forbidigo // that is what is tested
			}
			return gone(a, n)
		}})
		require.Positive(t, h.verify(t, r))
		require.Equal(t, "panic", h.line(t, "verification retried")["reason"])
		require.Equal(t, complete, h.verify(t, r))
	})
}

func TestASubscriptionThatIsStillActiveStandsInFrontOfAHuman(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		charged := func(deletion.Attempt, int) look {
			seen := answered(404)
			seen.SubscriptionsEnded = deletion.SubscriptionsEndedNo
			return look{found: deletion.VerificationSubscriptionActive, seen: seen}
		}
		h := start(t, db, deletesAda(), verifying(&verifier{verify: charged}, 50*time.Millisecond))
		h.accept(t, newDeletion("e1", "u1"))
		r := h.wait(t, "e1", deletion.StateReappeared)
		require.Equal(t, deletion.VerificationSubscriptionActive, r.Verification)
		require.Equal(t, deletion.SubscriptionsEndedNo, r.SubscriptionsEnded)
		require.Equal(t, ada(), r.Customer(), "who was deleted")
		line := h.line(t, "a subscription of the deleted customer is still active")
		require.Equal(t, ada().ID, line["customer_id"])
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Equal(t, tally(deletion.VerificationSubscriptionActive), depth.Reappeared)
		require.Equal(t, 1, h.counted(t, "polar_bridge_verifications_total", "subscription_active"))

		o := operator(t, h)
		requireRefused(t, o.Approve(t.Context(), r.ID, ""), "a subscription of the customer is still active: approving would delete nobody")
		require.NoError(t, o.Acknowledge(t.Context(), r.ID))
		r = h.row(t, "e1")
		require.Equal(t, deletion.StateDone, r.State)
		require.Equal(t, deletion.SubscriptionsEndedNo, r.SubscriptionsEnded, "it is what was found")
	})
}
