package ops_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestAForgottenPersonsEventIsStillRecognised(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		first := newDeletion("marker-event-1", "marker-person")
		first.Instance, first.UserID = "marker-instance", "marker-user"
		conflicting := newDeletion("e3", "marker-person")
		s.accept(t, first, newDeletion("marker-event-2", "marker-person"), newDeletion("e3", "other"), conflicting)
		held := s.hold(t, "marker-event-1", deletion.HoldRejected)
		_, err := s.Cancel(t.Context(), held.ID, "marker asked me")
		require.NoError(t, err)
		_, err = s.Forget(t.Context(), "marker-person")
		requireRefused(t, err, "deletion of the same person is")
		require.Equal(t, "marker-event-1", s.only(t, "marker-event-1").EventID, "nothing was changed")

		require.NoError(t, s.Approve(t.Context(), s.hold(t, "marker-event-2", deletion.HoldTeam).ID, ""))
		_, err = s.db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_approvals SET customer_id = 'marker-customer'")
		require.NoError(t, err)
		done := s.finish(t, "marker-event-2", time.Now())
		s.set(t, "marker-event-2", "customer_id = 'marker-customer', polar_error = 'marker', customer_type = 'marker', traceparent = 'marker', verification = 'pending'")
		for _, r := range s.list(t, ops.Filter{State: deletion.StateHeld}) {
			_, err = s.Cancel(t.Context(), r.ID, "marker")
			require.NoError(t, err)
		}
		_, err = s.Forget(t.Context(), "marker-person")
		requireRefused(t, err, "wait until it is verified")
		s.set(t, "marker-event-2", "verification = 'gone'")

		n, err := s.Forget(t.Context(), "marker-person")
		require.NoError(t, err)
		require.Equal(t, 3, n)
		forgotten, err := s.Find(t.Context(), done.ID)
		require.NoError(t, err)
		require.True(t, forgotten.Forgotten)
		require.Equal(t, deletion.OutcomeDeleted, forgotten.Outcome)
		require.Equal(t, deletion.ConfirmedByAnswer, forgotten.ConfirmedBy)
		require.Equal(t, done.ReceivedAt, forgotten.ReceivedAt)
		require.Equal(t, done.FinishedAt, forgotten.FinishedAt)
		require.Equal(t, "forget", forgotten.Actions[len(forgotten.Actions)-1].Action)
		for _, table := range []string{"polar_bridge_deletions", "polar_bridge_actions", "polar_bridge_approvals", "river_job"} {
			require.NotContains(t, everything(t, db, table), "marker", table)
		}
		for _, entry := range s.logs.FilterMessage("operator action").FilterField(zap.String("action", "forget")).All() {
			require.NotContains(t, entry.ContextMap(), "event_id")
			require.NotContains(t, entry.ContextMap(), "external_id")
		}

		for _, eventID := range []string{"marker-event-1", "marker-event-2"} {
			receipt, err := s.Acceptor(false).Accept(t.Context(), []deletion.Deletion{newDeletion(eventID, "marker-person")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Duplicates: 1}, receipt)
		}
		receipt, err := s.Acceptor(false).Accept(t.Context(), []deletion.Deletion{conflicting})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: 1}, receipt, "nor is a conflict taken for a new one")
		n, err = s.Forget(t.Context(), "marker-person")
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, "other", s.only(t, "e3").ExternalID)
	})
}

// everything is all text of a table.
func everything(t *testing.T, db *database.DB, table string) string {
	t.Helper()
	rows, err := db.Main.QueryContext(t.Context(), "SELECT * FROM "+table)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var all strings.Builder
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		for _, value := range values {
			if text, ok := value.([]byte); ok {
				value = string(text)
			}
			fmt.Fprintln(&all, value)
		}
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, all.String())
	return all.String()
}
