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

func TestDeletionsAreListedByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, deleted), operator(t, db)
		h.accept(t, deletion("e1", "u1"), deletion("e2", "u2"), unusable("e3"))
		d.wait(t, "e1", queue.StateDone)
		d.wait(t, "e2", queue.StateDone)
		fill(t, db, 1200, "team")

		events := func(f queue.Filter) (ids []string) {
			for _, r := range d.list(t, f) {
				ids = append(ids, r.EventID)
			}
			return ids
		}
		require.Len(t, events(queue.Filter{}), 1203)
		require.Equal(t, []string{"team1200", "team1199"}, events(queue.Filter{Limit: 2}), "the newest first")
		require.Equal(t, []string{"e2", "e1"}, events(queue.Filter{State: queue.StateDone}))
		require.Equal(t, []string{"e1"}, events(queue.Filter{State: queue.StateDone, ExternalID: "u1"}))
		require.Equal(t, []string{"team1", "e1"}, events(queue.Filter{ExternalID: "u1"}))
		require.Equal(t, []string{"e3"}, events(queue.Filter{Reason: event.HoldUnusableID}))
		require.Empty(t, events(queue.Filter{Since: time.Now().Add(time.Hour)}))
		require.Len(t, events(queue.Filter{Since: time.Now().Add(-time.Hour)}), 1203)
		require.Empty(t, events(queue.Filter{ExternalID: `' OR '1'='1`}))
	})
}

func TestEverythingIsKnownOfADeletionThatFails(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			if a.Number == 1 {
				return event.Result{AnswerLost: true}, fault.New(fault.Unavailable, "network_error", "broken off")
			}
			return deleted(ctx, a)
		}), operator(t, db)
		h.accept(t, deletion("e1", "u1"))
		r := d.wait(t, "e1", queue.StateDone)
		require.Equal(t, "clerk", r.Provider)
		require.Equal(t, "u1", r.ExternalID)
		require.Equal(t, "u1", r.UserID)
		require.Equal(t, 2, r.Attempts)
		require.True(t, r.AnswerLost)
		require.Equal(t, event.ConfirmedByAnswer, r.ConfirmedBy)
		require.Equal(t, 204, r.PolarStatus)
		require.Len(t, r.Failures, 1)
		require.Equal(t, 1, r.Failures[0].Attempt)
		require.Contains(t, r.Failures[0].Error, "broken off")
		require.WithinDuration(t, time.Now(), r.Failures[0].At, time.Minute)
		require.WithinDuration(t, time.Now(), r.FinishedAt, time.Minute)
		require.WithinDuration(t, time.Now(), r.ReceivedAt, time.Minute)
	})
}

func TestWhatTheGuardsFoundIsShown(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		leaveStored(t, db, "state = 'completed', finalized_at = in(0 minutes), metadata = "+jsonValue(db, `{"customer_id":"c1",
			"customer_type":"individual","customer_created_at":"2026-01-02T03:04:05Z","verified_at":"2026-11-02T03:04:05Z",
			"output":{"outcome":"deleted","customer_id":"c2","active_subscriptions":2,"confirmed_by":"answer","anonymized":true,"finished_at":"2026-11-02T02:04:05Z"},"approved":["team"]}`))
		r := operator(t, db).only(t, "e1")
		require.Equal(t, "c2", r.CustomerID, "who was deleted, not who was found first")
		require.Equal(t, 2, *r.ActiveSubscriptions)
		require.Nil(t, r.GrantedBenefits)
		require.Equal(t, "individual", r.CustomerType)
		require.Equal(t, "2026-01-02T03:04:05Z", r.CustomerCreatedAt)
		require.Equal(t, "2026-11-02T03:04:05Z", r.VerifiedAt.Format(time.RFC3339))
		require.True(t, r.Anonymized)
		require.Equal(t, []event.HoldReason{"team"}, r.Approved)
	})
}

func TestALookUpAfterADeletionIsShownOnlyWhenItNeedsAHuman(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fill(t, db, 1, "resurrected")
		_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET kind = 'verify_customer'")
		require.NoError(t, err)
		d := operator(t, db)
		all := d.list(t, queue.Filter{})
		require.Len(t, all, 1)
		require.True(t, all[0].Verification)
		stats, err := d.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, tally(event.HoldReason("resurrected")), stats.Held)
		require.Empty(t, stats.Providers)

		require.NoError(t, d.Retry(t.Context(), all[0].ID))
		require.Empty(t, d.list(t, queue.Filter{}))
	})
}

func TestStatsCountEverything(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
			switch a.ExternalID {
			case "wait":
				return event.Result{}, fault.New(fault.Paused, fault.PauseRateLimited, "wait").After(time.Hour)
			case "none":
				return event.Result{Outcome: event.OutcomeNotFound}, nil
			}
			return deleted(ctx, a)
		}), operator(t, db)
		empty, err := d.Stats(t.Context())
		require.NoError(t, err)
		require.Empty(t, empty.Providers)
		require.Zero(t, empty.OldestWaiting)

		other := deletion("e4", "u4")
		other.Provider = "auth0"
		h.accept(t, deletion("e1", "u1"), deletion("e2", "none"), deletion("e3", "wait"), other, unusable("e5"))
		d.wait(t, "e1", queue.StateDone)
		d.wait(t, "e2", queue.StateDone)
		d.wait(t, "e4", queue.StateDone)
		require.Eventually(t, func() bool { return d.only(t, "e3").NextTryAt.After(time.Now().Add(time.Minute)) }, 20*time.Second, 20*time.Millisecond)
		_, err = d.Cancel(t.Context(), d.only(t, "e5").ID, "no")
		require.NoError(t, err)
		fill(t, db, 2, "team")

		stats, err := d.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, []queue.ProviderStats{
			{Provider: "auth0", Outcomes: tally(event.OutcomeDeleted)},
			{Provider: "clerk", Waiting: 1, Held: 2, Outcomes: tally(event.OutcomeDeleted, event.OutcomeNotFound, event.OutcomeCancelled)},
		}, stats.Providers)
		require.Equal(t, tally(event.HoldReason("team"), "team"), stats.Held)
		require.WithinDuration(t, time.Now(), stats.OldestWaiting, time.Minute)
		require.WithinDuration(t, time.Now().Add(time.Hour), stats.NextRetry, time.Minute)
	})
}

func TestRecordsThatCannotBeReadAreShownAllTheSame(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]string{
		"arguments of another kind": `args = jsonb('{"provider":"clerk","event_id":"e1","external_id":{"in":"v3"}}')`,
		"metadata of another kind":  `metadata = jsonb('{"actions":7,"approved":"x","hold_reason":{},"output":[]}')`,
		"text that is no JSON":      `metadata = '{broken', errors = 'x'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
			leaveStored(t, db, "state = 'retryable', scheduled_at = in(60 minutes), "+columns)
			d := operator(t, db)
			require.Len(t, d.list(t, queue.Filter{}), 1)
			r := d.only(t, "e1")
			require.Equal(t, "clerk", r.Provider)
			_, err := d.Stats(t.Context())
			require.NoError(t, err)
			_, err = d.Cancel(t.Context(), r.ID, "unreadable")
			require.NoError(t, err)
			require.Equal(t, queue.StateCancelled, d.only(t, "e1").State)
		})
	}
}

// tally counts the words.
func tally[W comparable](words ...W) map[W]int {
	counts := map[W]int{}
	for _, word := range words {
		counts[word]++
	}
	return counts
}
