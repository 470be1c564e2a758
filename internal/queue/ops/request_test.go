package ops_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func request(externalID string) ops.Request {
	return ops.Request{Provider: "clerk", UserID: "u_" + externalID, ExternalID: externalID}
}

func TestARequestedDeletionSaysWhoAskedAndWhy(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		knowing := request("living")
		knowing.AlthoughUserExists = true
		stored, err := s.Acceptor(false).Request(t.Context(), []ops.Request{request("gone"), knowing}, "e-mail")
		require.NoError(t, err)
		require.Len(t, stored, 2)
		for i, want := range []struct {
			externalID, reason string
			approved           []deletion.Approval
		}{
			{"gone", "e-mail", nil},
			{"living", "e-mail (although the user exists)", []deletion.Approval{{Reason: deletion.HoldUserExists}}},
		} {
			r, err := s.Find(t.Context(), stored[i].ID)
			require.NoError(t, err)
			require.Equal(t, deletion.StateWaiting, r.State)
			require.Equal(t, deletion.SourceOperator, r.Source)
			require.Equal(t, want.externalID, r.ExternalID)
			require.Equal(t, "u_"+want.externalID, r.UserID)
			require.Equal(t, want.approved, r.Approved)
			require.Len(t, r.Actions, 1)
			require.Equal(t, [3]string{"cli:alice", "request", want.reason}, [3]string{r.Actions[0].By, r.Actions[0].Action, r.Actions[0].Reason})
			require.Equal(t, 1, s.jobs(t, r.EventID))
			require.False(t, r.DryRun)
			line := s.logs.FilterMessage("operator action").All()[i].ContextMap()
			require.Equal(t, map[string]any{
				"action": "request", "by": "cli:alice", "reason": "e-mail", "deletion_id": r.ID,
				"provider": "clerk", "event_id": r.EventID, "external_id": want.externalID,
			}, line)
		}
	})
}

func TestARequestLeavesAloneWhatWaitsOrIsHeld(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		var requests []ops.Request
		want := map[string]deletion.Standing{}
		for externalID, columns := range map[string]string{
			"waiting": "state = 'waiting'", "held": "state = 'held', hold_reason = 'team'", "another customer": "state = 'held', hold_reason = 'recreated', customer_id = 'c'",
			"cancelled": "state = 'cancelled', outcome = 'cancelled'", "reappeared": "state = 'reappeared'", "done": "state = 'done', outcome = 'deleted'",
			"dry run": "dry_run = TRUE", "another binding": "binding = 2", "nobody' OR '1'='1": "external_id = 'x'",
		} {
			s.accept(t, newDeletion("e_"+externalID, externalID))
			s.set(t, "e_"+externalID, columns)
			requests = append(requests, request(externalID))
		}
		want["waiting"] = deletion.Standing{State: deletion.StateWaiting}
		want["held"] = deletion.Standing{State: deletion.StateHeld, Reason: deletion.HoldTeam}
		want["another customer"] = deletion.Standing{State: deletion.StateHeld, Reason: deletion.HoldRecreated}
		before, err := s.Acceptor(false).LeftAloneOnRequest(t.Context(), requests)
		require.NoError(t, err)
		stored, err := s.Acceptor(false).Request(t.Context(), requests, "e-mail")
		require.NoError(t, err)
		for i, r := range requests {
			require.Equal(t, want[r.ExternalID], before[i].LeftAlone, r.ExternalID)
			require.Equal(t, want[r.ExternalID], stored[i].LeftAlone, r.ExternalID)
			named, err := s.Find(t.Context(), stored[i].ID)
			require.NoError(t, err)
			require.Equal(t, r.ExternalID, named.ExternalID)
			require.Equal(t, want[r.ExternalID].State == "", named.Source == deletion.SourceOperator, r.ExternalID)
		}

		// Twice: the second one finds the first.
		again, err := s.Acceptor(false).Request(t.Context(), requests, "e-mail")
		require.NoError(t, err)
		for i := range requests {
			require.Equal(t, stored[i].ID, again[i].ID)
			require.NotEmpty(t, again[i].LeftAlone.State)
		}
	})
}

func TestManyRequestsAreStoredOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		var requests []ops.Request
		for i := range 250 {
			requests = append(requests, request(fmt.Sprint("user_", i)))
		}
		for range 2 {
			all, err := s.Acceptor(true).Request(t.Context(), requests, "e-mails")
			require.NoError(t, err)
			require.Len(t, all, 250)
		}
		listed := s.list(t, ops.Filter{})
		require.Len(t, listed, 250)
		require.True(t, listed[0].DryRun)
	})
}

func TestARequestIsRefusedOnceTheDatabaseBelongsToAnother(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		_, err := db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_bindings (id, organization, address, active, bound_at) VALUES (2, 'o', 'a', TRUE, 1)")
		require.NoError(t, err)
		_, err = s.Acceptor(false).Request(t.Context(), []ops.Request{request("user_1")}, "e-mail")
		requireRefused(t, err, "belongs to another Polar organization")
		require.Empty(t, s.list(t, ops.Filter{}))
	})
}
