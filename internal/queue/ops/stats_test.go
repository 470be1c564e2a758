package ops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestStatsCountEverything(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		empty, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.Empty(t, empty.Providers)
		require.Zero(t, empty.OldestWaiting)
		require.Zero(t, empty.NextRetry)

		other := newDeletion("e4", "u4")
		other.Provider = "auth0"
		s.accept(t, newDeletion("e1", "u1"), newDeletion("e2", "none"), newDeletion("e3", "wait"), other, unusable("e5"), newDeletion("e6", "u6"), newDeletion("e7", "u7"))
		s.finish(t, "e1", time.Now())
		s.finish(t, "e2", time.Now())
		s.set(t, "e2", "outcome = 'not_found'")
		s.finish(t, "e4", time.Now())
		s.finish(t, "e6", time.Now())
		s.set(t, "e6", "state = 'reappeared'")
		soon := time.Now().Add(time.Hour)
		s.set(t, "e3", "next_try_at = $2", queue.Micros(soon))
		_, err = s.Cancel(t.Context(), s.only(t, "e5").ID, "no")
		require.NoError(t, err)
		fill(t, db, 2, deletion.HoldTeam)

		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, []ops.ProviderStats{
			{Provider: "auth0", Outcomes: tally(deletion.OutcomeDeleted)},
			{
				Provider: "clerk", Waiting: 2, Held: 2, Reappeared: 1,
				Outcomes: tally(deletion.OutcomeDeleted, deletion.OutcomeDeleted, deletion.OutcomeNotFound, deletion.OutcomeCancelled),
			},
		}, stats.Providers)
		require.Equal(t, tally(deletion.HoldTeam, deletion.HoldTeam), stats.Held)
		require.WithinDuration(t, s.only(t, "e3").ReceivedAt, stats.OldestWaiting, time.Second)
		require.WithinDuration(t, soon, stats.NextRetry, time.Microsecond)
		require.False(t, stats.Pause.Paused)
	})
}

func TestAPause(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		pause, err := s.Paused(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Pause{}, pause)
		for _, changes := range []bool{true, false} { // no server has ever run
			changed, err := s.Pause(t.Context(), "a look at it")
			require.NoError(t, err)
			require.Equal(t, changes, changed)
		}
		pause, err = s.Paused(t.Context())
		require.NoError(t, err)
		require.True(t, pause.Paused)
		require.Equal(t, "cli:alice", pause.By)
		require.Equal(t, "a look at it", pause.Reason)
		require.WithinDuration(t, time.Now(), pause.Since, time.Minute)
		stats, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, pause, stats.Pause)
		for _, changes := range []bool{true, false} {
			changed, err := s.Resume(t.Context())
			require.NoError(t, err)
			require.Equal(t, changes, changed)
		}
		pause, err = s.Paused(t.Context())
		require.NoError(t, err)
		require.False(t, pause.Paused)
		require.Len(t, s.logs.FilterMessage("operator action").All(), 2)
	})
}

func TestAnOperatorIsToldThatTheTablesAreGone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"))
		chosen, err := s.Choose(t.Context(), deletion.VerbRetry, ops.Filter{})
		require.NoError(t, err)
		for _, table := range []string{"polar_bridge_deletions", "river_queue"} {
			_, err := db.Main.ExecContext(t.Context(), "DROP TABLE "+table)
			require.NoError(t, err)
		}
		_, found := s.Find(t.Context(), 1)
		_, stats := s.Stats(t.Context())
		_, chose := s.Choose(t.Context(), deletion.VerbApprove, ops.Filter{})
		_, _, many := s.Many(t.Context(), deletion.VerbRetry, chosen, "")
		_, cancelled := s.Cancel(t.Context(), 1, "why")
		_, paused := s.Pause(t.Context(), "a look at it")
		_, resumed := s.Resume(t.Context())
		_, pause := s.Paused(t.Context())
		_, forgotten := s.Forget(t.Context(), "u1")
		_, accepted := s.Acceptor(false).Accept(t.Context(), []deletion.Deletion{newDeletion("e2", "u2")})
		failures := map[string]error{
			"find": found, "stats": stats, "choose": chose, "many": many, "cancel": cancelled, "pause": paused, "resume": resumed,
			"paused": pause, "forget": forgotten, "accept": accepted,
			"retry": s.Retry(t.Context(), 1), "approve": s.Approve(t.Context(), 1, ""), "acknowledge": s.Acknowledge(t.Context(), 1),
		}
		for _, err := range s.List(t.Context(), ops.Filter{}) {
			failures["list"] = err
		}
		for _, err := range s.Finished(t.Context(), time.Time{}, time.Time{}, "") {
			failures["finished"] = err
		}
		require.Len(t, failures, 15)
		for what, err := range failures {
			require.Error(t, err, what)
		}
		require.Zero(t, s.logs.FilterMessage("operator action").Len(), "nothing was done")
	})
}

func TestWhatEndedIsCountedByTheHour(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"), newDeletion("e2", "u2"), newDeletion("e3", "u3"), newDeletion("e4", "u4"), newDeletion("e5", "u5"))
		noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		s.finish(t, "e1", noon)
		s.finish(t, "e2", noon.Add(59*time.Minute))
		s.finish(t, "e3", noon.Add(time.Hour))
		s.set(t, "e3", "outcome = 'not_found'")
		s.finish(t, "e4", noon.Add(-time.Minute))
		ended, err := s.EndedByHour(t.Context(), noon)
		require.NoError(t, err)
		require.Equal(t, []ops.Ended{{Hour: noon, Outcome: deletion.OutcomeDeleted, Count: 2}, {Hour: noon.Add(time.Hour), Outcome: deletion.OutcomeNotFound, Count: 1}}, ended)
	})
}

func TestWhenTheLastOneCame(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		early, late, byHand := newDeletion("e1", "u1"), newDeletion("e2", "u2"), newDeletion("e3", "u3")
		at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		early.ReceivedAt, late.ReceivedAt, byHand.ReceivedAt, byHand.Source = at, at.Add(time.Hour), at, deletion.SourceOperator
		s.accept(t, early, late, byHand)
		received, err := s.LastReceived(t.Context())
		require.NoError(t, err)
		require.Equal(t, []ops.Received{{"clerk", deletion.SourceOperator, at}, {"clerk", deletion.SourceWebhook, at.Add(time.Hour)}}, received)
	})
}
