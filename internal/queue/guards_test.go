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

// ada is whom looks find in these tests.
func ada() event.Customer {
	return event.Customer{ID: "c-ada", Type: "individual", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
}

// sendBack does to a held deletion what an operator's command does: it goes on
// its way again, with the metadata given as JSON members.
func sendBack(t *testing.T, db *database.DB, kind, members string) {
	t.Helper()
	statement := `UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec'),
		metadata = jsonb_patch(metadata, '{"hold_reason":null,` + members + `}') WHERE kind = '` + kind + `'`
	if db.Dialect == database.Postgres {
		statement = `UPDATE river_job SET state = 'available', scheduled_at = now(),
			metadata = (metadata - 'hold_reason') || '{` + members + `}' WHERE kind = '` + kind + `'`
	}
	_, err := db.Main.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func TestWhomALookFoundIsPutOntoTheJobWhateverBecomesOfIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(_ context.Context, a event.Attempt) (event.Result, error) {
			switch {
			case a.ExternalID == "held":
				return event.Result{Customer: ada()}, fault.New(fault.Held, string(event.HoldTeam), "team")
			case a.Number == 1:
				return event.Result{Customer: ada(), AnswerLost: true}, fault.New(fault.Unavailable, "network_error", "reset")
			}
			return event.Result{Outcome: event.OutcomeDeleted, ConfirmedBy: event.ConfirmedByRetry, Customer: a.Seen}, nil
		})
		h.accept(t, deletion("e1", "held"))
		j := h.waitState(t, "e1", "scheduled")
		for _, want := range []string{`c-ada`, `"individual"`, `2026-01-02T03:04:05.000006Z`, `"team"`} {
			require.Contains(t, j.metadata, want)
		}
		require.Equal(t, "team", h.line(t, "deletion held")["reason"])

		h.accept(t, deletion("e2", "lost"))
		j = h.waitState(t, "e2", "completed")
		attempts := h.applier.wait(t, 3)
		require.Equal(t, ada(), attempts[2].Seen)
		require.Regexp(t, `"output": ?\{[^}]*"customer_id": ?"c-ada"`, j.metadata)
	})
}

func TestAnApprovalReachesTheAttempt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			if !a.Approves(event.HoldTeam) || a.Approves(event.HoldRecreated) {
				return event.Result{}, fault.New(fault.Held, string(event.HoldTeam), "team")
			}
			return deleted(ctx, a)
		})
		h.accept(t, deletion("e1", "u1"))
		h.waitState(t, "e1", "scheduled")
		sendBack(t, db, "delete_customer", `"approved":"team"`) // not as agreed: nothing is approved
		h.applier.wait(t, 2)
		h.waitState(t, "e1", "scheduled")
		sendBack(t, db, "delete_customer", `"approved":["team"]`)
		h.waitState(t, "e1", "completed")
		attempts := h.applier.wait(t, 3)
		require.Empty(t, attempts[1].Approved)
		require.Equal(t, []event.HoldReason{event.HoldTeam}, attempts[2].Approved)
	})
}

func TestADeletionSentBackIsTriedForSevenDaysFromThen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ sentBack, state string }{
		"a day ago":      {time.Now().Add(29 * 24 * time.Hour).UTC().Format(time.RFC3339), "retryable"},
		"eight days ago": {time.Now().Add(22 * 24 * time.Hour).UTC().Format(time.RFC3339), "scheduled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				month := func(o *queue.Options) { o.Now = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) } }
				h := start(t, db, func(_ context.Context, a event.Attempt) (event.Result, error) {
					if a.Approved == nil {
						return event.Result{}, fault.New(fault.Held, string(event.HoldTeam), "team")
					}
					return event.Result{}, fault.New(fault.Unavailable, "server_error", "down")
				}, month)
				h.accept(t, deletion("e1", "u1"))
				h.waitState(t, "e1", "scheduled")
				sendBack(t, db, "delete_customer", `"approved":["team"],"actions":[{"at":"2026-01-01T00:00:00Z","by":"cli:x","action":"approve"},{"at":"`+tt.sentBack+`","by":"cli:x","action":"approve","reason":"seen"},{"at":"2099-01-01T00:00:00Z","by":"cli:x","action":"pause"}]`)
				h.applier.wait(t, 2)
				h.waitState(t, "e1", tt.state)
			})
		})
	}
}

func TestAGracePeriodIsNoDelay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var ahead time.Duration
		h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{}, fault.New(fault.Paused, fault.ReasonGrace, "not yet").After(time.Hour)
		}, func(o *queue.Options) {
			o.GracePeriod, o.Now = time.Hour, func() time.Time { return time.Now().Add(ahead) }
		})
		h.accept(t, deletion("e1", "u1"))
		j := h.waitState(t, "e1", "scheduled")
		require.Zero(t, j.attempt, "waiting costs no attempt")
		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Census{Waiting: 1}, census)
		h.stop(t)

		ahead = 90 * time.Minute
		census, err = h.Census(t.Context())
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), census.OldestWaiting, time.Minute)
	})
}

func TestADryRunsLossStandsOnTheJobAndInTheLog(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, func(context.Context, event.Attempt) (event.Result, error) {
			return event.Result{Outcome: event.OutcomeDryRun, Customer: ada(), Loss: &event.Loss{ActiveSubscriptions: 2}}, nil
		}, func(o *queue.Options) { o.DryRun, o.Verifier, o.VerifyAfter = true, &verifier{}, time.Hour })
		h.accept(t, deletion("e1", "u1"))
		j := h.waitState(t, "e1", "completed")
		require.Regexp(t, `"active_subscriptions": ?2`, j.metadata)
		require.Regexp(t, `"granted_benefits": ?0`, j.metadata)
		line := h.line(t, "deletion finished")
		require.Equal(t, true, line["customer_found"])
		require.EqualValues(t, 2, line["active_subscriptions"])
		require.Zero(t, verifications(t, db), "nothing was deleted that could come back")
	})
}

// verifications counts those that are stored.
func verifications(t *testing.T, db *database.DB) (n int) {
	t.Helper()
	require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job WHERE kind = 'verify_customer'").Scan(&n))
	return n
}
