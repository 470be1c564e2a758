package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestACommandStoresDeletionsOnceAndServersKnowThem(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		d := operator(t, db)
		var found []event.Deletion
		for i := range 250 {
			id := fmt.Sprint("user_", i)
			found = append(found, event.Deletion{
				Provider: "clerk", EventID: "reconcile:" + id, UserID: id, ExternalID: id, OccurredAt: time.Now(), ReceivedAt: time.Now(),
			})
		}
		found = append(found, found[0])
		acceptor := d.Acceptor(false)
		receipt, err := acceptor.Accept(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 250, Duplicates: 1}, receipt)
		receipt, err = acceptor.Accept(t.Context(), found)
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Duplicates: 251}, receipt)
		require.Len(t, d.list(t, queue.Filter{State: queue.StateWaiting}), 250)
		require.Len(t, d.logs.FilterMessage("deletion accepted").All(), 250)
		one := d.only(t, "reconcile:user_7")
		require.Equal(t, "user_7", one.ExternalID)
		require.False(t, one.DryRun)

		receipt, err = d.Acceptor(true).Accept(t.Context(), found[:1])
		require.NoError(t, err)
		require.Equal(t, 1, receipt.Accepted, "what was seen dry was not seen")
	})
}
