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

func TestACommandStoresDeletionsOnceAndServersKnowThem(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		var found []deletion.Deletion
		for i := range 250 {
			id := fmt.Sprint("user_", i)
			found = append(found, newDeletion(deletion.ReconcileEventID(id), id))
		}
		found = append(found, found[0])
		receipt, err := s.Acceptor(false).Accept(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 250, Duplicates: 1}, receipt)
		receipt, err = s.Acceptor(false).Accept(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: 251}, receipt)
		require.Len(t, s.list(t, ops.Filter{State: deletion.StateWaiting}), 250)
		require.Len(t, s.logs.FilterMessage("deletion accepted").All(), 250)
		one := s.only(t, deletion.ReconcileEventID("user_7"))
		require.Equal(t, "user_7", one.ExternalID)
		require.Equal(t, deletion.SourceReconcile, one.Source)
		require.False(t, one.DryRun)
		require.Equal(t, 1, s.jobs(t, one.EventID))

		receipt, err = s.Acceptor(true).Accept(t.Context(), found[:1])
		require.NoError(t, err)
		require.Equal(t, 1, receipt.Accepted, "what was seen dry was not seen")
	})
}

func TestACustomerAboutWhomSomebodyDecidedIsLeftAlone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		orphan := func(externalID string) deletion.Deletion {
			return newDeletion(deletion.ReconcileEventID("c_"+externalID), externalID)
		}
		found := []deletion.Deletion{orphan("nobody' OR '1'='1")}
		want := map[string]deletion.Standing{}
		for externalID, tt := range map[string]struct {
			columns string // of the row of a webhook about the same user
			change  func(*deletion.Deletion)
			want    deletion.Standing
		}{
			"cancelled":        {columns: "state = 'cancelled', outcome = 'cancelled'", want: deletion.Standing{State: deletion.StateCancelled}},
			"held":             {columns: "state = 'held', hold_reason = 'team'", want: deletion.Standing{State: deletion.StateHeld, Reason: deletion.HoldTeam}},
			"reappeared":       {columns: "state = 'reappeared'", want: deletion.Standing{State: deletion.StateReappeared}},
			"waiting":          {columns: "state = 'waiting'", want: deletion.Standing{State: deletion.StateWaiting}},
			"same customer":    {columns: "state = 'cancelled', customer_id = 'c_same customer'", want: deletion.Standing{State: deletion.StateCancelled}},
			"another provider": {columns: "state = 'cancelled', provider = 'auth0'", want: deletion.Standing{State: deletion.StateCancelled}},
			"created again":    {columns: "state = 'cancelled', customer_id = 'c_before'"},
			"done":             {columns: "state = 'done', outcome = 'not_found'"},
			"another binding":  {columns: "state = 'held', hold_reason = 'team', binding = 2"},
			"dry run":          {columns: "state = 'held', hold_reason = 'team', dry_run = TRUE"},
			"redacted":         {columns: "state = 'cancelled', external_id = '', redacted = TRUE"},
			"the same event":   {columns: "state = 'cancelled'", change: func(d *deletion.Deletion) { *d = orphan(d.ExternalID) }},
		} {
			d := newDeletion("e_"+externalID, externalID)
			if tt.change != nil {
				tt.change(&d)
			}
			s.accept(t, d)
			s.set(t, d.EventID, tt.columns)
			found = append(found, orphan(externalID))
			if tt.want.State != "" {
				want[deletion.ReconcileEventID("c_"+externalID)] = tt.want
			}
		}
		left, err := s.Acceptor(false).LeftAlone(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, want, left)

		// A dry run sees what dry runs have stored, and a row of a true run is no
		// duplicate of it.
		want[deletion.ReconcileEventID("c_dry run")] = deletion.Standing{State: deletion.StateHeld, Reason: deletion.HoldTeam}
		want[deletion.ReconcileEventID("c_the same event")] = deletion.Standing{State: deletion.StateCancelled}
		left, err = s.Acceptor(true).LeftAlone(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, want, left)
	})
}

func TestOfSeveralDeletionsOfACustomerTheOneToDecideAboutIsNamed(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		orphan := []deletion.Deletion{newDeletion(deletion.ReconcileEventID("c1"), "u1")}
		for _, state := range []deletion.State{deletion.StateCancelled, deletion.StateWaiting, deletion.StateReappeared, deletion.StateHeld, deletion.StateDone, deletion.StateCancelled} {
			eventID := fmt.Sprint("e", len(s.list(t, ops.Filter{})))
			s.accept(t, newDeletion(eventID, "u1"))
			s.set(t, eventID, "state = $2", string(state))
			left, err := s.Acceptor(false).LeftAlone(t.Context(), orphan)
			require.NoError(t, err)
			if eventID < "e4" {
				require.Equal(t, state, left[orphan[0].EventID].State)
			} else {
				require.Equal(t, deletion.StateHeld, left[orphan[0].EventID].State)
			}
		}
	})
}

func TestWhoReconciledIsNoted(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		d := newDeletion(deletion.ReconcileEventID("c1"), "u1")
		for range 2 { // the second is a duplicate
			_, err := s.As("console:carol").Acceptor(false).Accept(t.Context(), []deletion.Deletion{d, newDeletion("e2", "u2")})
			require.NoError(t, err)
		}
		r := s.only(t, d.EventID)
		require.Len(t, r.Actions, 1)
		require.Equal(t, "console:carol", r.Actions[0].By)
		require.Equal(t, "reconcile", r.Actions[0].Action)
		require.Empty(t, s.only(t, "e2").Actions, "nobody concluded it")
		require.Len(t, s.logs.FilterMessage("deletion accepted").All(), 2)
	})
}
