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

// proven ends the event's row with all that a deletion can leave on it.
func (s *session) proven(t testing.TB, eventID string) queue.Record {
	t.Helper()
	s.hold(t, eventID, deletion.HoldTeam)
	require.NoError(t, s.Approve(t.Context(), s.only(t, eventID).ID, ""))
	s.finish(t, eventID, time.Now().Add(-time.Minute))
	s.set(t, eventID, `anonymized = TRUE, counted_at = sent_at, sent_saw = 'customer', sent_anonymized = TRUE, failures = 3, failing_for = 3000,
		verification = 'gone', verify_at = sent_at, verified_at = sent_at`)
	s.logs.TakeAll()
	return s.only(t, eventID)
}

func TestADoneDeletionIsDoneAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"))
		before := s.proven(t, "e1")
		require.NotEmpty(t, before.Approved)
		require.NoError(t, s.Redo(t.Context(), before.ID, "Polar restored a backup"))

		r := s.only(t, "e1")
		require.Equal(t, deletion.StateWaiting, r.State)
		require.Empty(t, r.Outcome)
		require.Empty(t, r.ConfirmedBy)
		require.Empty(t, r.Verification)
		require.Empty(t, r.Approved, "all guards again")
		for _, moment := range []time.Time{r.FinishedAt, r.VerifyAt, r.VerifiedAt, r.NextTryAt} {
			require.Zero(t, moment)
		}
		require.False(t, r.Anonymized || r.AnswerLost || r.Running)
		require.Zero(t, r.Failures)
		require.Equal(t, before.Generation+1, r.Generation)
		require.Equal(t, 1, s.jobs(t, "e1"))
		require.Equal(t, "c1", r.CustomerID)
		require.Equal(t, before.Attempts, r.Attempts)
		var left int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), `SELECT count(*) FROM polar_bridge_deletions
			WHERE sent_at > 0 OR in_flight OR sent_saw <> '' OR sent_anonymized OR counted_at > 0 OR failing_for > 0`).Scan(&left))
		require.Zero(t, left, "what was sent once says nothing about the next request, and the hour counts it again")

		done := r.Actions[len(r.Actions)-1]
		require.Equal(t, "redo", done.Action)
		require.Equal(t, "cli:alice", done.By)
		require.Equal(t, "Polar restored a backup (it was deleted, "+before.FinishedAt.Format(time.RFC3339)+")", done.Reason)
		require.Len(t, s.logs.FilterMessage("operator action").All(), 1)
		requireRefused(t, s.Redo(t.Context(), r.ID, "again"), "it is waiting")
	})
}

func TestWhatCannotBeDoneAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		for _, tt := range []struct{ name, set, because string }{
			{"waiting", "outcome = ''", "it is waiting; only done"},
			{"held", "state = 'held', hold_reason = 'team'", "it is held; only done"},
			{"cancelled", "state = 'cancelled', outcome = 'cancelled', finished_at = received_at", "it is cancelled"},
			{"reappeared", "state = 'reappeared', outcome = 'deleted', finished_at = received_at", "acknowledge it"},
			{"dry run", "state = 'done', outcome = 'dry_run', dry_run = TRUE, finished_at = received_at", "it was a dry run"},
			{"without an outcome", "state = 'done', finished_at = received_at", "cannot be done again"},
			{"of another organization", "state = 'done', outcome = 'deleted', binding = 2, finished_at = received_at", "another Polar organization"},
		} {
			s.accept(t, newDeletion(tt.name, "u1"))
			s.set(t, tt.name, tt.set)
			before := s.only(t, tt.name)
			requireRefused(t, s.Redo(t.Context(), before.ID, "why"), tt.because)
			require.Equal(t, before, s.only(t, tt.name), tt.name)
		}
		s.accept(t, newDeletion("on its way", "u3"))
		s.set(t, "on its way", "state = 'done', outcome = 'not_found', in_flight = TRUE, sent_at = $2, finished_at = $2", queue.Micros(time.Now()))
		requireRefused(t, s.Redo(t.Context(), s.only(t, "on its way").ID, "why"), "on its way")

		s.accept(t, newDeletion("forgotten", "u2"))
		id := s.finish(t, "forgotten", time.Now()).ID
		_, err := s.Forget(t.Context(), "u2")
		require.NoError(t, err)
		requireRefused(t, s.Redo(t.Context(), id, "why"), "it was forgotten")
		requireRefused(t, s.Redo(t.Context(), id+1, "why"), "no such deletion")

		for _, outcome := range ops.Redoable() {
			chosen, err := s.ChooseDone(t.Context(), outcome, time.Now().Add(-time.Hour), time.Time{})
			require.NoError(t, err)
			require.Empty(t, chosen)
		}
		require.Empty(t, s.logs.FilterMessageSnippet("redo").All())
	})
}

func TestManyAreDoneAgain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		const many = 1203 // more than two pages
		fill(t, db, many, deletion.HoldTeam)
		now := time.Now()
		_, err := db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET state = 'done', hold_reason = '', outcome = 'not_found', finished_at = $1", queue.Micros(now.Add(-time.Hour)))
		require.NoError(t, err)
		for _, eventID := range []string{"deleted", "before", "after", "acknowledged", "forgotten"} {
			s.accept(t, newDeletion(eventID, eventID))
			s.finish(t, eventID, now.Add(-time.Hour))
			s.set(t, eventID, "outcome = 'not_found'")
		}
		s.set(t, "deleted", "outcome = 'deleted'")
		s.set(t, "before", "finished_at = $2", queue.Micros(now.Add(-2*time.Hour)))
		s.set(t, "after", "finished_at = $2", queue.Micros(now.Add(-time.Minute)))
		chosen, err := s.ChooseDone(t.Context(), deletion.OutcomeNotFound, now.Add(-90*time.Minute), now.Add(-30*time.Minute))
		require.NoError(t, err)
		require.Len(t, chosen, many+2)

		s.set(t, "acknowledged", "outcome = 'deleted'") // after the question
		_, err = s.Forget(t.Context(), "forgotten")
		require.NoError(t, err)
		n, _, err := s.Many(t.Context(), deletion.VerbRedo, chosen, "a wrong token")
		require.NoError(t, err)
		require.Equal(t, many, n)
		require.Len(t, s.list(t, ops.Filter{State: deletion.StateWaiting}), many)
		require.Len(t, s.list(t, ops.Filter{State: deletion.StateDone}), 5)
		n, _, err = s.Many(t.Context(), deletion.VerbRedo, chosen, "a wrong token")
		require.NoError(t, err)
		require.Zero(t, n, "they wait already")
	})
}
