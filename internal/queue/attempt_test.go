package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// ada is whom lookups find in these tests.
func ada() deletion.Customer {
	return deletion.Customer{ID: "c-ada", Type: "individual", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
}

func saw(customer deletion.Customer, seen deletion.Observed) deletion.Observed {
	seen.Customer = customer
	return seen
}

func TestAFinishedDeletionSaysForEverWhatHappened(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, sends(saw(ada(), answered(204)), deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer, Anonymized: true}))
		d := newDeletion("e1", "u1")
		h.accept(t, d)
		r := h.wait(t, "e1", deletion.StateDone)
		require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
		require.Equal(t, deletion.ConfirmedByAnswer, r.ConfirmedBy)
		require.True(t, r.Anonymized)
		require.Equal(t, ada(), r.Customer())
		require.Equal(t, 204, *r.PolarStatus)
		require.EqualValues(t, 1, r.Attempts)
		require.WithinDuration(t, time.Now(), r.FinishedAt, time.Minute)
		require.False(t, r.AnswerLost)
		require.False(t, r.Running)
		require.Zero(t, r.NextTryAt)
		require.Zero(t, r.jobID)
		require.Nil(t, r.ActiveSubscriptions)

		got := h.applier.wait(t, 1)[0]
		require.WithinDuration(t, d.OccurredAt, got.OccurredAt, time.Millisecond)
		got.OccurredAt, got.ReceivedAt, d.OccurredAt, d.ReceivedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		d.Source, d.Object = deletion.SourceWebhook, deletion.ObjectUser
		require.Equal(t, deletion.Attempt{Deletion: d, ID: r.ID}, got)

		line := h.line(t, "deletion finished")
		require.Equal(t, "deleted", line["outcome"])
		require.Equal(t, "answer", line["confirmed_by"])
		require.Equal(t, "u1", line["external_id"])
		require.EqualValues(t, 204, line["polar_status"])
		require.EqualValues(t, 1, line["attempt"])
		require.EqualValues(t, r.ID, line["deletion_id"])
		require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_total", "deleted"))
	})
}

func TestAFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, inTurn(sends(saw(ada(), deletion.Observed{Sent: true}), networkError()), deletes()))
		h.accept(t, newDeletion("e1", "u1"))
		attempts := h.applier.wait(t, 2)
		require.False(t, attempts[0].AnswerLost)
		require.True(t, attempts[1].AnswerLost)
		require.Equal(t, ada(), attempts[1].Seen)
		r := h.wait(t, "e1", deletion.StateDone)
		require.EqualValues(t, 2, r.Attempts)
		require.Zero(t, r.Failures)
		require.Equal(t, ada(), r.Customer(), "who it was was seen before")
		line := h.line(t, "deletion retried")
		require.Equal(t, "network_error", line["reason"])
		require.Equal(t, "broken off", line["error"])
		require.Positive(t, line["retry_in_ms"])
	})
}

func TestAFailureThatNeverBeganToSendIsNoAttemptAndNoLostAnswer(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, func(context.Context, deletion.Attempt, deletion.Journal) (deletion.Observed, deletion.Decision) {
			return deletion.Observed{PolarStatus: 503}, serverError() // to the lookup
		})
		h.accept(t, newDeletion("e1", "u1"))
		require.Positive(t, h.work(t, "e1"))
		r := h.row(t, "e1")
		require.Zero(t, r.Attempts)
		require.EqualValues(t, 1, r.Failures)
		require.Equal(t, "server_error", r.Result)
		require.Equal(t, 503, *r.PolarStatus)
		require.False(t, r.AnswerLost)
		require.True(t, r.NextTryAt.After(h.now()))
	})
}

func TestAWaitThatTriedNothingLeavesTheRowAlone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, decides(deletion.Wait{Reason: deletion.WaitPermit, For: 7 * time.Second}))
		h.accept(t, newDeletion("e1", "u1"))
		before := h.row(t, "e1")
		require.Equal(t, 7*time.Second, h.work(t, "e1"))
		require.Equal(t, before, h.row(t, "e1"))
	})
}

func TestARowSaysWhenItsGracePeriodEnds(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, decides(deletion.Wait{Reason: deletion.WaitGrace, For: time.Hour, Err: errors.New("the grace period is not over")}))
		h.accept(t, newDeletion("e1", "u1"))
		require.Equal(t, time.Hour, h.work(t, "e1"))
		r := h.row(t, "e1")
		require.WithinDuration(t, h.now().Add(time.Hour), r.NextTryAt, time.Second)
		require.Equal(t, deletion.StateWaiting, r.State)
		require.Zero(t, r.Attempts)
	})
}

func TestAHeldDeletionStandsInFrontOfAHumanAndIsNotRunAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, sends(saw(ada(), answered(422)), hold(deletion.HoldRejected)))
		h.accept(t, newDeletion("e1", "u1"))
		r := h.wait(t, "e1", deletion.StateHeld)
		require.Equal(t, deletion.HoldRejected, r.HoldReason)
		require.WithinDuration(t, time.Now(), r.HeldAt, time.Minute)
		require.Equal(t, ada(), r.Customer())
		require.Equal(t, "rejected", r.Result)
		require.Zero(t, r.jobID)
		require.Zero(t, r.NextTryAt)
		line := h.line(t, "deletion held")
		require.Equal(t, "rejected", line["reason"])
		require.Equal(t, zapcore.ErrorLevel, h.logs.FilterMessage("deletion held").All()[0].Level)
		require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_held_total", "rejected"))
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Equal(t, tally(deletion.HoldRejected), depth.Held)
		require.Zero(t, depth.OldestWaiting)

		receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: 1}, receipt)
	})
}

func TestADeletionThatOnlyFailsIsHeldAfterSevenDaysOfBeingTried(t *testing.T) {
	t.Parallel()
	forbidden := deletion.Retry{Reason: deletion.RetryForbidden, Err: errors.New("polar answered 403")}
	ourDatabase := deletion.Retry{Reason: deletion.RetryDatabase, Err: errors.New("locked")}
	for name, tt := range map[string]struct {
		failing  time.Duration
		decision deletion.Decision
		held     deletion.HoldReason
	}{
		"that long":                          {queue.GiveUpAfter, serverError(), deletion.HoldExhausted},
		"almost that long":                   {queue.GiveUpAfter - 3*time.Hour, serverError(), ""},
		"forbidden that long":                {queue.GiveUpAfter, forbidden, deletion.HoldForbidden},
		"forbidden for almost that long":     {queue.GiveUpAfter - 3*time.Hour, forbidden, ""},
		"that long by our database":          {queue.GiveUpAfter, ourDatabase, ""},
		"that long, and now Polar says wait": {queue.GiveUpAfter, pause(time.Minute), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h := byHand(t, db, sends(answered(503), tt.decision))
				h.accept(t, newDeletion("e1", "u1"))
				h.set(t, "failing_for", tt.failing.Microseconds())
				h.work(t, "e1")
				r := h.row(t, "e1")
				require.Equal(t, tt.held, r.HoldReason)
				if tt.held != "" {
					require.Equal(t, string(tt.held), h.line(t, "deletion held")["reason"])
					require.NotEmpty(t, h.line(t, "deletion held")["cause"])
				}
			})
		})
	}
}

func TestPausesAndOurOwnDatabaseDoNotCountTowardsSevenDays(t *testing.T) {
	t.Parallel()
	for name, decision := range map[string]deletion.Decision{
		"a pause of Polar's": pause(time.Hour),
		"our database":       deletion.Retry{Reason: deletion.RetryDatabase, Err: errors.New("locked")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h := byHand(t, db, sends(answered(503), decision))
				h.accept(t, newDeletion("e1", "u1"))
				for range 5 {
					h.work(t, "e1")
					h.clock.step(2 * time.Hour)
				}
				var failing int64
				require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT failing_for FROM polar_bridge_deletions").Scan(&failing))
				require.Zero(t, failing)
			})
		})
	}
}

func TestAPanicIsAFailureLikeAnyOtherAndSaysNothingPersonal(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		bug := func(context.Context, deletion.Attempt, deletion.Journal) (deletion.Observed, deletion.Decision) {
			panic("bug with marker-person") //nolint:forbidigo // that is what is tested
		}
		h := start(t, db, inTurn(bug, func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
			_ = journal.BeginSend(ctx, deletion.Sending{})
			return bug(ctx, a, journal)
		}, deletes()))
		h.accept(t, newDeletion("e1", "u1"))
		h.wait(t, "e1", deletion.StateDone)
		require.Equal(t, "panic", h.line(t, "deletion retried")["reason"])
		for _, entry := range h.logs.All() {
			require.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), "marker-person")
		}
		attempts := h.applier.wait(t, 3)
		require.False(t, attempts[1].AnswerLost, "nothing had been sent")
		require.True(t, attempts[2].AnswerLost, "something may have been")
	})
}

func TestAPauseThatPolarAskedForIsLogged(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := byHand(t, db, nil)
	for _, want := range []struct {
		reason    deletion.WaitReason
		status    int
		everybody bool
		level     zapcore.Level
	}{
		{deletion.WaitUnauthorized, 401, true, zapcore.ErrorLevel},
		{deletion.WaitUnexpected, 404, true, zapcore.ErrorLevel},
		{deletion.WaitRateLimited, 429, true, zapcore.WarnLevel},
		{deletion.WaitPermit, 0, false, zapcore.DebugLevel},
	} {
		h.applier.apply = func(context.Context, deletion.Attempt, deletion.Journal) (deletion.Observed, deletion.Decision) {
			return deletion.Observed{PolarStatus: want.status},
				deletion.Wait{Reason: want.reason, For: time.Hour, Everybody: want.everybody, Err: errors.New("as polar said")}
		}
		eventID := string(want.reason)
		h.accept(t, newDeletion(eventID, "u1"))
		require.Equal(t, time.Hour, h.work(t, eventID))
		lines := h.logs.FilterMessage("deletion postponed").FilterField(zap.String("reason", eventID)).All()
		require.Len(t, lines, 1, eventID)
		require.Equal(t, want.level, lines[0].Level, eventID)
		require.Contains(t, lines[0].ContextMap()["error"], "as polar said")
	}
}

func TestADryRunsLossStandsInTheRowAndInTheLog(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		seen := saw(ada(), answered(200))
		seen.Loss = &deletion.Loss{ActiveSubscriptions: 2}
		h := start(t, db, sends(seen, doneDryRun()),
			func(o *queue.Options) { o.DryRun, o.Verifier, o.VerifyAfter = true, &verifier{verify: gone}, time.Hour })
		h.accept(t, newDeletion("e1", "u1"))
		r := h.wait(t, "e1", deletion.StateDone)
		require.Equal(t, 2, *r.ActiveSubscriptions)
		require.Equal(t, 0, *r.GrantedBenefits)
		line := h.line(t, "deletion finished")
		require.Equal(t, true, line["customer_found"])
		require.EqualValues(t, 2, line["active_subscriptions"])
		require.Empty(t, r.Verification, "nothing was deleted that could come back")
	})
}

func TestDepth(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes(), func(o *queue.Options) { o.GracePeriod = time.Hour })
		h.accept(t, newDeletion("e1", "u1"), unusable("e2"))
		fill(t, db, 3, deletion.StateReappeared, "")
		fill(t, db, 2, deletion.StateDone, "")
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Equal(t, tally(deletion.StateWaiting, deletion.StateHeld, deletion.StateReappeared, deletion.StateReappeared, deletion.StateReappeared), depth.Pending)
		require.Equal(t, tally(deletion.HoldUnusableID), depth.Held)
		require.Zero(t, depth.OldestWaiting, "a grace period is no delay")
		h.clock.step(90 * time.Minute)
		depth, err = h.Depth(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, h.row(t, "e1").ReceivedAt.Add(time.Hour), depth.OldestWaiting, 0)
	})
}

func TestBackoffGrowsFromSecondsToHoursWithFullJitter(t *testing.T) {
	t.Parallel()
	for attempt, ceiling := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 13: 2 * time.Hour, 32767: 2 * time.Hour} {
		var low, high bool
		for range 2000 {
			wait := queue.Backoff(attempt)
			require.GreaterOrEqual(t, wait, 500*time.Millisecond)
			require.LessOrEqual(t, wait, ceiling)
			low = low || wait < ceiling/2
			high = high || wait > ceiling/2
		}
		require.True(t, low && high, "attempt %d", attempt)
	}
}

func TestTheBackoffGrowsWithEachFailureAndBeginsAgainAfterNone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, sends(answered(503), serverError()))
		h.accept(t, newDeletion("e1", "u1"))
		h.set(t, "failures", 20)
		var longest time.Duration
		for range 5 {
			longest = max(longest, h.work(t, "e1"))
		}
		require.Greater(t, longest, 10*time.Minute)
		require.WithinDuration(t, h.now().Add(longest), h.row(t, "e1").NextTryAt, 2*time.Hour)
	})
}

func TestIDsThatMayBeAddressesAreDigestedInLogs(t *testing.T) {
	t.Parallel()
	plain, digest, none := queue.LogID(queue.LogPlain, []byte("k")), queue.LogID(queue.LogDigest, []byte("k")), queue.LogID(queue.LogNone, []byte("k"))
	require.Equal(t, "user_1", plain("user_1"))
	require.Regexp(t, "^hmac:[0-9a-f]{32}$", plain("waad|someone@example.com"))
	require.Regexp(t, "^hmac:[0-9a-f]{32}$", plain("sms|560ebaeef609ee1adaa7c551"))
	require.Regexp(t, "^hmac:[0-9a-f]{32}$", digest("user_1"))
	require.NotEqual(t, digest("user_1"), digest("user_2"))
	require.NotEqual(t, digest("user_1"), queue.LogID(queue.LogDigest, []byte("other"))("user_1"))
	require.Empty(t, none("user_1"))
	require.Empty(t, plain(""))
}

func TestTheOldestWaitingIsOneThatTheServerWorks(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		h.accept(t, newDeletion("e1", "u1"))
		h.set(t, "dry_run", true)
		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Zero(t, depth.OldestWaiting, "a dry run waits for a server that makes dry runs")
		h.accept(t, newDeletion("e2", "u2"))
		depth, err = h.Depth(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, h.row(t, "e2").ReceivedAt, depth.OldestWaiting, 0)
	})
}
