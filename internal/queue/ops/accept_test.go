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
