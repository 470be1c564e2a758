package ops_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestAnApproval(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"))
		held := s.hold(t, "e1", deletion.HoldTeam)
		s.set(t, "e1", "failures = 7, failing_for = 7000")
		require.NoError(t, s.Approve(t.Context(), held.ID, ""))

		r := s.only(t, "e1")
		require.Equal(t, deletion.StateWaiting, r.State)
		require.Empty(t, r.HoldReason)
		require.Zero(t, r.Failures)
		require.Equal(t, held.Generation+1, r.Generation)
		require.Equal(t, 1, s.jobs(t, "e1"))
		require.Equal(t, []deletion.Approval{{Reason: deletion.HoldTeam, CustomerID: "c1"}}, r.Approved)
		require.Len(t, r.Actions, 1)
		require.Equal(t, "cli:alice", r.Actions[0].By)
		require.Equal(t, "approve", r.Actions[0].Action)
		require.Equal(t, "team", r.Actions[0].Reason)
		require.WithinDuration(t, time.Now(), r.Actions[0].At, time.Minute)
		line := s.logs.FilterMessage("operator action").All()[0].ContextMap()
		require.Equal(t, map[string]any{
			"action": "approve", "by": "cli:alice", "reason": "team", "deletion_id": held.ID,
			"provider": "clerk", "event_id": "e1", "external_id": "u1",
		}, line)

		requireRefused(t, s.Approve(t.Context(), held.ID, ""), "only held deletions")
		s.hold(t, "e1", deletion.HoldTeam)
		s.set(t, "e1", "customer_id = 'c2'")
		require.NoError(t, s.Approve(t.Context(), held.ID, ""))
		require.Equal(t, []deletion.Approval{{Reason: deletion.HoldTeam, CustomerID: "c2"}}, s.only(t, "e1").Approved, "for whom was seen last")
	})
}

func TestARetry(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("held", "u1"), newDeletion("waits", "u2"))
		held := s.hold(t, "held", deletion.HoldTeam)
		s.set(t, "waits", "next_try_at = $2, failing_for = 7000", queue.Micros(time.Now().Add(time.Hour)))
		waits := s.only(t, "waits")
		for _, r := range []queue.Record{held, waits} {
			require.NoError(t, s.Retry(t.Context(), r.ID))
			after := s.only(t, r.EventID)
			require.Equal(t, deletion.StateWaiting, after.State)
			require.Equal(t, r.Generation+1, after.Generation)
			require.Zero(t, after.NextTryAt, "now")
			require.Empty(t, after.Approved, "with all its guards")
			require.Equal(t, "retry", after.Actions[0].Action)
			require.Equal(t, 1, s.jobs(t, r.EventID))
		}
		require.NoError(t, s.Retry(t.Context(), waits.ID), "it is due already")
		require.Len(t, s.only(t, "waits").Actions, 2)
	})
}

func TestWhatIsFinishedOrRunningIsRefused(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"))
		s.set(t, "e1", "in_flight = TRUE, sent_at = $2", queue.Micros(time.Now()))
		id := s.only(t, "e1").ID
		require.True(t, s.only(t, "e1").Running)
		requireRefused(t, s.Retry(t.Context(), id), "being tried right now")
		requireRefused(t, s.Approve(t.Context(), id, ""), "only held deletions")
		_, err := s.Cancel(t.Context(), id, "why")
		requireRefused(t, err, "on its way")

		s.finish(t, "e1", time.Now())
		requireRefused(t, s.Retry(t.Context(), id), "never tried again")
		requireRefused(t, s.Approve(t.Context(), id, ""), "only held deletions")
		_, err = s.Cancel(t.Context(), id, "why")
		requireRefused(t, err, "it is done already")
		requireRefused(t, s.Acknowledge(t.Context(), id), "only those whose customer reappeared")
		requireRefused(t, s.Retry(t.Context(), id+1), "no such deletion")
		requireRefused(t, s.Approve(t.Context(), id+1, ""), "no such deletion")
		_, err = s.Find(t.Context(), id+1)
		requireRefused(t, err, "no such deletion")
		require.Empty(t, s.only(t, "e1").Actions)
		require.Zero(t, s.logs.Len())
	})
}

func TestWhatNoApprovalChangesIsRefused(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, unusable("unusable_id"))
		for _, held := range []struct {
			reason  deletion.HoldReason
			because string
		}{
			{deletion.HoldUnusableID, "Polar's dashboard"},
			{deletion.HoldUnaddressable, "Polar's dashboard"},
			{deletion.HoldForbidden, "allow it there"},
			{deletion.HoldUnexpected, "retry the deletion"},
			{deletion.HoldRejected, "read its answer with deletions show, then retry the deletion"},
			{deletion.HoldExhausted, "remove the cause, then retry the deletion"},
		} {
			eventID := string(held.reason)
			if held.reason != deletion.HoldUnusableID {
				s.accept(t, newDeletion(eventID, "u1"))
				s.hold(t, eventID, held.reason)
			}
			requireRefused(t, s.Approve(t.Context(), s.only(t, eventID).ID, ""), held.because)
			require.Empty(t, s.only(t, eventID).Actions)
		}
		chosen, err := s.Choose(t.Context(), deletion.VerbApprove, ops.Filter{})
		require.NoError(t, err)
		require.Empty(t, chosen)
	})
}

func TestACancel(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("waits", "u1"), newDeletion("held", "u2"), newDeletion("lost", "u3"), newDeletion("crashed", "u4"))
		s.hold(t, "held", deletion.HoldTeam)
		s.set(t, "lost", "sent_at = 1, decided_at = 2")
		s.set(t, "crashed", "in_flight = TRUE, sent_at = $2", queue.Micros(time.Now().Add(-queue.InFlight)))
		for _, eventID := range []string{"waits", "held", "lost", "crashed"} {
			sent, err := s.Cancel(t.Context(), s.only(t, eventID).ID, "asked to stay")
			require.NoError(t, err)
			require.Equal(t, eventID == "lost" || eventID == "crashed", sent, "an earlier request may have been done")
			r := s.only(t, eventID)
			require.Equal(t, deletion.StateCancelled, r.State)
			require.Equal(t, deletion.OutcomeCancelled, r.Outcome)
			require.Empty(t, r.HoldReason)
			require.WithinDuration(t, time.Now(), r.FinishedAt, time.Minute)
			require.Equal(t, "asked to stay", r.Actions[0].Reason)
			_, err = s.Cancel(t.Context(), r.ID, "again")
			requireRefused(t, err, "cancelled already")
			requireRefused(t, s.Retry(t.Context(), r.ID), "never tried again")
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("are approved by their reason, and what is held later is not", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			const many = 450
			fill(t, db, many, deletion.HoldMassDeletion)
			fill(t, db, 3, deletion.HoldTeam)
			fill(t, db, 1, deletion.HoldUnaddressable)
			s := operator(t, db)
			chosen, err := s.Choose(t.Context(), deletion.VerbApprove, ops.Filter{Reason: deletion.HoldMassDeletion})
			require.NoError(t, err)
			require.Len(t, chosen, many)
			fill(t, db, 2, deletion.HoldRecreated) // after the question
			n, _, err := s.Many(t.Context(), deletion.VerbApprove, chosen, "")
			require.NoError(t, err)
			require.Equal(t, many, n)
			require.Len(t, s.list(t, ops.Filter{State: deletion.StateHeld}), 6)
			require.Len(t, s.list(t, ops.Filter{Reason: deletion.HoldTeam}), 3)
			waiting := s.list(t, ops.Filter{State: deletion.StateWaiting})
			require.Len(t, waiting, many)
			require.Equal(t, 1, s.jobs(t, waiting[0].EventID))
			require.Equal(t, []deletion.Approval{{Reason: deletion.HoldMassDeletion}}, s.only(t, waiting[0].EventID).Approved)

			n, _, err = s.Many(t.Context(), deletion.VerbApprove, chosen, "")
			require.NoError(t, err)
			require.Zero(t, n, "they wait already")
			all, err := s.Choose(t.Context(), deletion.VerbApprove, ops.Filter{})
			require.NoError(t, err)
			n, _, err = s.Many(t.Context(), deletion.VerbApprove, all, "")
			require.NoError(t, err)
			require.Equal(t, 5, n)
			require.Len(t, s.logs.FilterMessage("operator action").All(), many+5)
		})
	})
	t.Run("are left alone when it is another question by now", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			s := operator(t, db)
			for _, eventID := range []string{"held again", "held for another reason", "for another customer", "running", "done", "as it was"} {
				s.accept(t, newDeletion(eventID, "u1"))
				s.hold(t, eventID, deletion.HoldTeam)
			}
			for _, verb := range []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry, deletion.VerbCancel} {
				chosen, err := s.Choose(t.Context(), verb, ops.Filter{Reason: deletion.HoldTeam})
				require.NoError(t, err)
				require.Len(t, chosen, 6)
				s.set(t, "held again", "held_at = held_at + 1000000")
				s.set(t, "held for another reason", "hold_reason = 'recreated'")
				s.set(t, "for another customer", "generation = generation + 2")
				s.set(t, "running", "state = 'waiting', in_flight = TRUE, hold_reason = '', sent_at = $2", queue.Micros(time.Now()))
				s.set(t, "done", "state = 'done', hold_reason = '', outcome = 'deleted'")
				n, left, err := s.Many(t.Context(), verb, chosen, "no")
				require.NoError(t, err)
				require.Equal(t, 1, n, verb)
				require.Len(t, left, 5)
				require.NotContains(t, left, s.only(t, "as it was").ID)
				require.Len(t, s.only(t, "as it was").Actions, 1+slices.Index([]deletion.Verb{deletion.VerbApprove, deletion.VerbRetry, deletion.VerbCancel}, verb))
				for _, eventID := range []string{"held again", "held for another reason", "for another customer", "running", "done", "as it was"} {
					s.set(t, eventID, "in_flight = FALSE, sent_at = 0, finished_at = 0, outcome = ''")
					s.hold(t, eventID, deletion.HoldTeam)
				}
			}
		})
	})
	t.Run("are retried and cancelled, the waiting ones too unless a reason is asked for", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			s := operator(t, db)
			s.accept(t, newDeletion("waits", "u1"), newDeletion("running", "u2"), newDeletion("held", "u3"), newDeletion("conflict", "u4"), newDeletion("done", "u5"))
			s.hold(t, "held", deletion.HoldTeam)
			s.hold(t, "conflict", deletion.HoldConflict)
			s.finish(t, "done", time.Now())
			s.set(t, "running", "in_flight = TRUE, sent_at = $2", queue.Micros(time.Now()))
			for _, tt := range []struct {
				verb deletion.Verb
				want int
			}{{deletion.VerbApprove, 2}, {deletion.VerbRetry, 2}, {deletion.VerbCancel, 3}} {
				chosen, err := s.Choose(t.Context(), tt.verb, ops.Filter{})
				require.NoError(t, err)
				require.Len(t, chosen, tt.want, tt.verb)
			}
			chosen, err := s.Choose(t.Context(), deletion.VerbCancel, ops.Filter{})
			require.NoError(t, err)
			n, _, err := s.Many(t.Context(), deletion.VerbCancel, chosen, "a test run")
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, "a test run", s.only(t, "waits").Actions[0].Reason)
			require.Equal(t, deletion.StateWaiting, s.only(t, "running").State)
			require.Len(t, s.logs.FilterMessage("operator action").FilterField(zap.String("action", "cancel")).All(), 3)
		})
	})
}

func TestAChoice(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		for i, eventID := range []string{"waits", "held", "conflict", "reappeared", "done"} { // each alone, for the order of the ids
			s.accept(t, newDeletion(eventID, fmt.Sprintf("u%d", i+1)))
		}
		s.hold(t, "held", deletion.HoldTeam)
		s.hold(t, "conflict", deletion.HoldConflict)
		s.finish(t, "done", time.Now())
		s.finish(t, "reappeared", time.Now())
		s.set(t, "reappeared", "state = 'reappeared', verification = 'found'")
		all := s.list(t, ops.Filter{Oldest: true})
		ids := make([]int64, 0, len(all)+1)
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		ids = append(ids, ids[len(ids)-1]+1) // which is not there
		events := func(chosen []ops.Chosen) (events []string) {
			for _, c := range chosen {
				events = append(events, all[slices.Index(ids, c.ID)].EventID)
			}
			return events
		}
		for verb, want := range map[deletion.Verb][]string{
			deletion.VerbApprove: {"held", "conflict"}, deletion.VerbRetry: {"waits", "held"},
			deletion.VerbCancel: {"waits", "held", "conflict"}, deletion.VerbAcknowledge: {"reappeared"}, deletion.VerbRedo: nil,
		} {
			t.Run("is of what "+string(verb)+" can be done to, by a filter or by ids", func(t *testing.T) {
				t.Parallel()
				chosen, err := s.Choose(t.Context(), verb, ops.Filter{})
				require.NoError(t, err)
				require.Equal(t, want, events(chosen))
				some, others, err := s.ChooseIDs(t.Context(), verb, ids)
				require.NoError(t, err)
				require.Equal(t, chosen, some)
				require.Len(t, others, len(ids)-len(want))
			})
		}
		t.Run("keeps to the filter and its limit, the oldest first", func(t *testing.T) {
			t.Parallel()
			for want, f := range map[string]ops.Filter{"waits": {Limit: 1}, "conflict": {ExternalID: "u3", Limit: 9}, "held": {State: deletion.StateHeld, Limit: 1}} {
				chosen, err := s.Choose(t.Context(), deletion.VerbCancel, f)
				require.NoError(t, err)
				require.Equal(t, []string{want}, events(chosen))
			}
		})
	})
}

func TestManyLeavesOutWhatIsNotThereAnyMore(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		fill(t, db, 3, deletion.HoldTeam)
		chosen, err := s.Choose(t.Context(), deletion.VerbCancel, ops.Filter{Reason: deletion.HoldTeam})
		require.NoError(t, err)
		require.Len(t, chosen, 3)
		_, err = db.Main.ExecContext(t.Context(), "DELETE FROM polar_bridge_deletions WHERE id = $1", chosen[1].ID)
		require.NoError(t, err)
		n, left, err := s.Many(t.Context(), deletion.VerbCancel, chosen, "a test run")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, []int64{chosen[1].ID}, left)
		require.Len(t, s.logs.FilterMessage("a chosen deletion is not there any more: left out").All(), 1)
	})
}
