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
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func (h *harness) accept(t *testing.T, deletions ...event.Deletion) {
	t.Helper()
	_, err := h.Accept(t.Context(), deletions)
	require.NoError(t, err)
}

func TestAFinishedDeletionSaysForEverWhatHappened(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deleted)
		d := deletion("e1", "u1")
		h.accept(t, d)
		j := h.waitState(t, "e1", "completed")
		require.Contains(t, j.metadata, `"deleted"`)
		require.Contains(t, j.metadata, `"confirmed_by"`)

		got := h.applier.wait(t, 1)[0]
		require.WithinDuration(t, d.OccurredAt, got.OccurredAt, time.Millisecond)
		got.OccurredAt, got.ReceivedAt, d.OccurredAt, d.ReceivedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		require.Equal(t, event.Attempt{Deletion: d, ID: 1, Number: 1}, got)

		line := h.line(t, "deletion finished")
		require.Equal(t, "deleted", line["outcome"])
		require.Equal(t, "u1", line["external_id"])
		require.EqualValues(t, 204, line["polar_status"])
	})
}

func TestAFailureIsTriedAgainAndRemembersALostAnswer(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			if a.Number == 1 {
				return event.Result{AnswerLost: true}, fault.New(fault.Unavailable, "network_error", "broken off")
			}
			return deleted(ctx, a)
		})
		h.accept(t, deletion("e1", "u1"))
		attempts := h.applier.wait(t, 2)
		require.False(t, attempts[0].AnswerLost)
		require.True(t, attempts[1].AnswerLost)
		require.Equal(t, 2, attempts[1].Number)
		h.waitState(t, "e1", "completed")
		require.Equal(t, "network_error", h.line(t, "deletion retried")["reason"])
	})
}

func TestAPauseCostsNoAttempt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var calls int
		h := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			if calls++; calls <= 3 {
				return event.Result{}, fault.New(fault.Paused, fault.PauseRateLimited, "wait").After(10 * time.Millisecond)
			}
			return deleted(ctx, a)
		}, func(o *queue.Options) { o.Workers = 1 })
		h.accept(t, deletion("e1", "u1"))
		for _, a := range h.applier.wait(t, 4) {
			require.Equal(t, 1, a.Number)
		}
		h.waitState(t, "e1", "completed")
	})
}

func TestAHeldDeletionStandsInFrontOfAHumanAndIsNotRunAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{PolarStatus: 422}, fault.New(fault.Held, string(event.HoldRejected), "no")
		})
		h.accept(t, deletion("e1", "u1"))
		j := h.waitState(t, "e1", "scheduled")
		require.Contains(t, j.metadata, `"rejected"`)
		require.Equal(t, "rejected", h.line(t, "deletion held")["reason"])
		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Census{Held: 1}, census)

		receipt, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Duplicates: 1}, receipt)
	})
}

func TestADeletionThatOnlyFailsIsHeldAfterSevenDays(t *testing.T) {
	t.Parallel()
	const limit = 7 * 24 * time.Hour
	for _, tt := range []struct {
		name   string
		age    time.Duration
		reason string
		held   string
	}{
		{"older", limit + time.Minute, "server_error", "exhausted"},
		{"younger", limit - time.Minute, "server_error", ""},
		{"forbidden and older", limit + time.Minute, "forbidden", "forbidden"},
		{"forbidden and younger", limit - time.Minute, "forbidden", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
					return event.Result{}, fault.New(fault.Unavailable, tt.reason, "down")
				}, func(o *queue.Options) { o.Now = func() time.Time { return time.Now().Add(tt.age) } })
				h.accept(t, deletion("e1", "u1"))
				if tt.held != "" {
					require.Contains(t, h.waitState(t, "e1", "scheduled").metadata, tt.held)
				} else {
					require.NotContains(t, h.waitTried(t, "e1").metadata, "hold_reason")
				}
			})
		})
	}
}

func TestStoppingInMidCallCostsNoAttemptAndLosesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(ctx context.Context, _ event.Attempt) (event.Result, error) {
			<-ctx.Done()
			return event.Result{AnswerLost: true}, context.Cause(ctx) // River's own error, not context.Canceled
		})
		h.accept(t, deletion("e1", "u1"))
		h.applier.wait(t, 1)
		h.stop(t)
		require.Equal(t, 0, h.job(t, "e1").attempt)

		next := start(t, db, deleted)
		got := next.applier.wait(t, 1)[0]
		require.Equal(t, 1, got.Number)
		require.True(t, got.AnswerLost)
		next.waitState(t, "e1", "completed")
	})
}

func TestAKilledProcessesDeletionsAreTakenBackAtOnceOnSQLite(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	leaveRunning(t, db, "attempted_at = datetime('now', 'subsec')")

	count, err := unstarted(t, db).ResetRunning(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, count)

	began := time.Now()
	next := start(t, db, deleted)
	got := next.applier.wait(t, 1)[0]
	require.Less(t, time.Since(began), 3*time.Second)
	require.True(t, got.AnswerLost)
	require.Equal(t, 1, got.Number)
}

func TestAKilledReplicasDeletionsAreTakenBackWithinAMinuteOnPostgres(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	leaveRunning(t, db, "attempted_at = now() - interval '30 seconds'")

	next := start(t, db, deleted)
	got := next.applier.wait(t, 1)[0]
	require.True(t, got.AnswerLost)
	next.waitState(t, "e1", "completed")
}

// leaveRunning stores a deletion as a killed process would leave it. The queue
// that stores it postpones it: one that is stopped in mid-attempt is given
// seconds to finish, which nobody needs here.
func leaveRunning(t *testing.T, db *database.DB, attempted string) {
	t.Helper()
	h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
		return event.Result{}, fault.New(fault.Paused, fault.PauseRateLimited, "wait").After(time.Hour)
	})
	h.accept(t, deletion("e1", "u1"))
	h.waitState(t, "e1", "scheduled")
	h.stop(t)
	_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET scheduled_at = created_at")
	require.NoError(t, err)
	_, err = db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = 'running', attempt = 1, "+attempted)
	require.NoError(t, err)
}

func TestAPanicIsAFailureLikeAnyOtherAndSaysNothingPersonal(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			if a.Number == 1 {
				panic("bug with marker-person") //nolint:forbidigo // that is what is tested
			}
			return deleted(ctx, a)
		})
		h.accept(t, deletion("e1", "u1"))
		h.waitState(t, "e1", "completed")
		require.Equal(t, "panic", h.line(t, "deletion retried")["reason"])
		for _, entry := range h.logs.All() {
			require.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), "marker-person")
		}
		require.True(t, h.applier.wait(t, 2)[1].AnswerLost)
	})
}

func TestAnythingDiscardedWouldStandInFrontOfAHuman(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deleted)
		h.accept(t, deletion("e1", "u1"))
		h.waitState(t, "e1", "completed")
		_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = 'discarded'")
		require.NoError(t, err)
		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Census{Held: 1}, census)
	})
}

func TestADeletionCancelledBeforeTheKillIsNotRevived(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	leaveRunning(t, db, `attempted_at = datetime('now', 'subsec'), metadata = jsonb('{"cancel_attempted_at":"2026-11-23T12:00:00Z"}')`)
	h := unstarted(t, db)
	_, err := h.ResetRunning(t.Context())
	require.NoError(t, err)
	require.Equal(t, "cancelled", h.job(t, "e1").state)
}

func TestAPauseThatPolarAskedForIsLogged(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	pauses := map[string]struct {
		status int
		level  zapcore.Level
	}{
		fault.PauseUnauthorized: {401, zapcore.ErrorLevel},
		fault.PauseUnexpected:   {404, zapcore.ErrorLevel},
		fault.PauseRateLimited:  {429, zapcore.WarnLevel},
		fault.ReasonNoSlot:      {0, zapcore.DebugLevel},
	}
	h := start(t, db, func(_ context.Context, a event.Attempt) (event.Result, error) {
		return event.Result{PolarStatus: pauses[a.ExternalID].status},
			fault.New(fault.Paused, a.ExternalID, "as polar said").After(time.Hour)
	})
	for reason := range pauses {
		h.accept(t, deletion(reason, reason))
	}
	for reason, want := range pauses {
		h.waitState(t, reason, "scheduled")
		lines := h.logs.FilterMessage("deletion postponed").FilterField(zap.String("reason", reason)).All()
		require.Len(t, lines, 1, reason)
		require.Equal(t, want.level, lines[0].Level, reason)
		require.Contains(t, lines[0].ContextMap()["error"], "as polar said")
	}
}

func TestOurOwnDatabasesTroubleIsNotHeldAgainstADeletion(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
		return event.Result{}, fault.New(fault.Unavailable, fault.ReasonDatabase, "locked")
	}, func(o *queue.Options) { o.Now = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) } })
	h.accept(t, deletion("e1", "u1"))
	h.waitTried(t, "e1")
}

func TestEveryFaultKindHasAVerdict(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	kinds := map[string]error{
		"unclassified": errors.New("odd"),
		"internal":     fault.New(fault.Internal, "", "bug"),
		"malformed":    fault.New(fault.Malformed, "", "cannot happen"),
	}
	h := start(t, db, func(_ context.Context, a event.Attempt) (event.Result, error) {
		return event.Result{}, kinds[a.ExternalID]
	})
	for name := range kinds {
		h.accept(t, deletion(name, name))
	}
	for name := range kinds {
		require.Equal(t, 1, h.waitTried(t, name).attempt)
	}
	census, err := h.Census(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(kinds), census.Waiting)
	require.WithinDuration(t, time.Now(), census.OldestWaiting, time.Minute)
}

func TestADryRunDoesNotCountAsSeen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		wet := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{}, fault.New(fault.Unavailable, "server_error", "down")
		})
		wet.accept(t, deletion("waits", "u1"))
		wet.applier.wait(t, 1)
		wet.stop(t)

		dry := start(t, db, func(_ context.Context, a event.Attempt) (event.Result, error) {
			if !a.DryRun {
				t.Error("a real deletion was tried in a dry run")
			}
			return event.Result{Outcome: event.OutcomeDryRun}, nil
		}, func(o *queue.Options) { o.DryRun = true })
		dry.accept(t, deletion("e1", "u1"))
		dry.waitState(t, "e1", "completed")
		dry.stop(t)

		again := start(t, db, deleted)
		receipt, err := again.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 1}, receipt)
		again.applier.wait(t, 2)
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
