package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// verifier is a scripted look after a deletion that remembers its attempts.
type verifier struct {
	verify func(a event.Attempt) (event.Verified, error)

	mutex    sync.Mutex
	attempts []event.Attempt
}

func (v *verifier) Verify(_ context.Context, a event.Attempt) (event.Verified, error) {
	v.mutex.Lock()
	v.attempts = append(v.attempts, a)
	v.mutex.Unlock()
	return v.verify(a)
}

func (v *verifier) wait(t *testing.T, n int) []event.Attempt {
	t.Helper()
	var all []event.Attempt
	require.Eventually(t, func() bool {
		v.mutex.Lock()
		defer v.mutex.Unlock()
		all = append([]event.Attempt(nil), v.attempts...)
		return len(all) >= n
	}, 30*time.Second, 10*time.Millisecond)
	return all
}

func gone(event.Attempt) (event.Verified, error) {
	return event.Verified{Verification: event.VerificationGone, PolarStatus: 404}, nil
}

func found(a event.Attempt) (event.Verified, error) {
	v := event.Verified{Verification: event.VerificationFound, Customer: event.Customer{ID: "c-again", CreatedAt: time.Now()}, PolarStatus: 200}
	if a.Approves(event.HoldResurrected) {
		return v, nil
	}
	return v, fault.New(fault.Held, string(event.HoldResurrected), "there is somebody")
}

// deletedAda is a deletion whose look found somebody.
func deletedAda(ctx context.Context, a event.Attempt) (event.Result, error) {
	result, err := deleted(ctx, a)
	result.Customer = ada()
	return result, err
}

func verifying(v *verifier, after time.Duration) func(*queue.Options) {
	return func(o *queue.Options) { o.Verifier, o.VerifyAfter = v, after }
}

// waitJob waits until the job of the kind is in the state.
func (h *harness) waitJob(t *testing.T, kind, state string) (id int64, metadata string) {
	t.Helper()
	cast := "CAST(json(metadata) AS text)"
	if h.db.Dialect == database.Postgres {
		cast = "metadata::text"
	}
	require.Eventually(t, func() bool {
		var now string
		err := h.db.Main.QueryRowContext(t.Context(), "SELECT id, state, "+cast+" FROM river_job WHERE kind = $1", kind).Scan(&id, &now, &metadata)
		return err == nil && now == state
	}, 30*time.Second, 10*time.Millisecond, "no %s became %s", kind, state)
	return id, metadata
}

func TestADeletionIsVerifiedAndSaysSo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: gone}
		h := start(t, db, deletedAda, verifying(v, 50*time.Millisecond))
		d := deletion("e1", "u1")
		h.accept(t, d)
		h.waitJob(t, "verify_customer", "completed")
		id, metadata := h.waitJob(t, "delete_customer", "completed")
		require.Regexp(t, `"verified_at": ?"20\d\d-[0-9T:-]+Z"`, metadata)
		require.Contains(t, metadata, `"deleted"`, "the outcome is what it was")

		got := v.wait(t, 1)
		require.Len(t, got, 1)
		require.Equal(t, "u1", got[0].ExternalID)
		require.Equal(t, "clerk", got[0].Provider)
		require.Equal(t, "c-ada", got[0].Seen.ID)
		line := h.line(t, "verification finished")
		require.Equal(t, "gone", line["outcome"])
		require.EqualValues(t, id, line["verified_deletion_id"])
	})
}

func TestAVerificationIsStoredBeforeItsDeletionIsFinished(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Hour))
		h.accept(t, deletion("e1", "u1"))
		h.waitJob(t, "delete_customer", "completed")
		h.stop(t)
		require.Equal(t, 1, verifications(t, db))

		// As a crash between the two leaves it: the deletion runs again.
		again := "state = 'available', finalized_at = NULL, attempt = 1"
		_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET "+again+" WHERE kind = 'delete_customer'")
		require.NoError(t, err)
		next := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Hour))
		next.applier.wait(t, 1)
		next.waitJob(t, "delete_customer", "completed")
		require.Equal(t, 1, verifications(t, db), "and not twice")
	})
}

// What was deleted must not become "never there" because of our own database.
func TestADeletionWhoseVerificationCannotBeStoredIsRepeatedAsLost(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		allow := refuse(t, db, "NEW.kind = 'verify_customer'")
		h := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Hour))
		h.accept(t, deletion("e1", "u1"))
		require.Equal(t, "database", h.line(t, "deletion retried")["reason"])
		allow()
		attempts := h.applier.wait(t, 2)
		require.True(t, attempts[1].AnswerLost)
		require.Equal(t, "c-ada", attempts[1].Seen.ID)
		h.waitJob(t, "delete_customer", "completed")
		require.Equal(t, 1, verifications(t, db))
	})
}

func TestSomebodyFoundAgainStandsInFrontOfAHuman(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: found}
		h := start(t, db, deletedAda, verifying(v, 50*time.Millisecond))
		h.accept(t, deletion("e1", "u1"))
		v.wait(t, 1)
		id, metadata := h.waitJob(t, "verify_customer", "scheduled")
		require.Contains(t, metadata, "resurrected")
		require.Contains(t, metadata, "c-again")
		line := h.line(t, "deletion held")
		require.Equal(t, "resurrected", line["reason"])
		require.EqualValues(t, id, line["deletion_id"])
		require.Equal(t, zapcore.ErrorLevel, h.logs.FilterMessage("deletion held").All()[0].Level)
		_, deletions := h.waitJob(t, "delete_customer", "completed")
		require.NotContains(t, deletions, "verified_at")
		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Census{Held: 1}, census)

		sendBack(t, db, "verify_customer", `"approved":["resurrected"]`)
		h.waitJob(t, "verify_customer", "completed")
		_, deletions = h.waitJob(t, "delete_customer", "completed")
		require.NotContains(t, deletions, "verified_at", "somebody is there")
		attempts, _ := h.applier.seen()
		require.Len(t, attempts, 1, "and nobody was deleted for it")
	})
}

func TestAVerificationThatWaitsIsNoDeletion(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Hour))
		h.accept(t, deletion("e1", "u1"))
		h.waitJob(t, "delete_customer", "completed")
		h.waitJob(t, "verify_customer", "scheduled")
		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Zero(t, census)
	})
}

func TestOnlyWhatWasDeletedIsVerified(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{Outcome: event.OutcomeNotFound, ConfirmedBy: event.ConfirmedByAnswer}, nil
		}, verifying(&verifier{verify: gone}, time.Millisecond))
		h.accept(t, deletion("e1", "u1"))
		h.waitJob(t, "delete_customer", "completed")
		require.Zero(t, verifications(t, db))
	})
}

func TestVerificationsThatWereStoredAreMadeThoughNewOnesAreOff(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Second))
	h.accept(t, deletion("e1", "u1"))
	h.waitJob(t, "delete_customer", "completed")
	h.stop(t)
	v := &verifier{verify: gone}
	next := start(t, db, deletedAda, verifying(v, 0))
	v.wait(t, 1)
	next.waitJob(t, "verify_customer", "completed")
	next.accept(t, deletion("e2", "u2"))
	require.Eventually(t, func() bool { return len(next.logs.FilterMessage("deletion finished").All()) == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, 1, verifications(t, db))
}

func TestAVerificationsVerdicts(t *testing.T) {
	t.Parallel()
	const limit = 7 * 24 * time.Hour
	tests := map[string]struct {
		err     error
		age     time.Duration
		state   string
		message string
		field   string
		value   string
	}{
		"a failure is tried again":   {fault.New(fault.Unavailable, "server_error", "down"), 0, "retryable", "verification retried", "reason", "server_error"},
		"a pause is waited for":      {fault.New(fault.Paused, fault.PauseRateLimited, "wait").After(time.Hour), 0, "scheduled", "verification postponed", "reason", "rate_limited"},
		"an odd answer ends it":      {fault.New(fault.Held, string(event.HoldUnexpected), "odd"), 0, "completed", "verification finished", "outcome", "error"},
		"a week of failures ends it": {fault.New(fault.Unavailable, "server_error", "down"), limit + time.Minute, "completed", "verification finished", "outcome", "error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
			store := start(t, db, deletedAda, verifying(&verifier{verify: gone}, time.Hour))
			store.accept(t, deletion("e1", "u1"))
			store.waitJob(t, "delete_customer", "completed")
			store.stop(t)
			_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = 'available', scheduled_at = datetime('now') WHERE kind = 'verify_customer'")
			require.NoError(t, err)

			h := start(t, db, deletedAda, verifying(&verifier{verify: func(event.Attempt) (event.Verified, error) {
				return event.Verified{PolarStatus: 503}, tt.err
			}}, time.Hour), func(o *queue.Options) { o.Now = func() time.Time { return time.Now().Add(tt.age) } })
			line := h.line(t, tt.message)
			require.Equal(t, tt.value, line[tt.field])
			_, metadata := h.waitJob(t, "verify_customer", tt.state)
			require.NotContains(t, metadata, "hold_reason")
			census, err := h.Census(t.Context())
			require.NoError(t, err)
			require.Zero(t, census.Held)
		})
	}
}

func TestAPanicInAVerificationIsAFailureLikeAnyOther(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	v := &verifier{verify: func(a event.Attempt) (event.Verified, error) {
		if a.Number == 1 {
			panic("bug") //nolint:forbidigo // that is what is tested
		}
		return gone(a)
	}}
	h := start(t, db, deletedAda, verifying(v, time.Millisecond))
	h.accept(t, deletion("e1", "u1"))
	h.waitJob(t, "verify_customer", "completed")
	require.Equal(t, "panic", h.line(t, "verification retried")["reason"])
}

func TestAnAttemptThatEndsWhileTheProgramStopsStoresItsVerification(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		stopping := make(chan struct{})
		h := prepare(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			<-stopping
			return deletedAda(ctx, a)
		}, verifying(&verifier{verify: gone}, time.Hour))
		require.NoError(t, h.Start(t.Context()))
		h.accept(t, deletion("e1", "u1"))
		h.applier.wait(t, 1)
		// It goes on once webhooks are not taken any more.
		go func() {
			defer close(stopping)
			for {
				if _, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")}); err != nil {
					return
				}
			}
		}()
		h.stop(t)
		h.waitJob(t, "delete_customer", "completed")
		h.waitJob(t, "verify_customer", "scheduled")
	})
}
