package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// searching is an environment with the deletion e1 of somebody who has no external id,
// but an order that names them.
func searching(t *testing.T, db *database.DB) (e *environment, customerID string) {
	t.Helper()
	e = newEnvironment(t, db, func(o *deletion.Options) { o.MetadataKey = "userId" })
	customer := e.polar.AddCustomer(polartest.Customer{
		CreatedAt: e.clock.now().Add(-24 * time.Hour), GrantedBenefits: 2, Orders: []map[string]any{{"userId": "u1"}},
	})
	e.accept(t, newDeletion("e1", "u1"))
	return e, customer.ID
}

func TestASearchThatAlwaysFailsIsForAHumanAfterADay(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e, _ := searching(t, db)
		e.polar.SetFaultFunc(func(entry polartest.Entry) polartest.Fault {
			if entry.Operation == polartest.OperationOrders {
				return polartest.Challenge()
			}
			return polartest.Fault{}
		})
		tried := e.failFor(t, 7*24*time.Hour)
		held := e.row(t, "e1")
		require.Equal(t, "exhausted by the lookup", held.Remedy().Cause())
		require.InDelta(t, 24, tried.Hours(), 3)
		require.NoError(t, e.operator.Approve(t.Context(), held.ID, ""))
		require.Equal(t, complete, e.work(t, "e1"))
		require.Equal(t, deletion.OutcomeNotFound, e.row(t, "e1").Outcome)
		require.Equal(t, deletion.SearchUnsearchable, e.row(t, "e1").MetadataSearch)
		require.Len(t, e.polar.Customers(), 1)

		e.polar.ClearFaults()
		require.NoError(t, e.operator.Redo(t.Context(), held.ID, "searched again"))
		require.Empty(t, e.row(t, "e1").MetadataSearch)
		require.Equal(t, complete, e.work(t, "e1"))
		require.Equal(t, deletion.HoldFoundByMetadata, e.row(t, "e1").HoldReason)
	})
}

func TestTheApprovedCustomerIsOnTheRowWhateverIsLost(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e, customer := searching(t, db)
		require.Equal(t, complete, e.work(t, "e1"))
		held := e.row(t, "e1")
		require.Equal(t, deletion.HoldFoundByMetadata, held.HoldReason)
		require.Equal(t, customer, held.CustomerID)
		require.Equal(t, deletion.SearchOrders, held.MetadataSearch)
		require.Equal(t, 2, *held.GrantedBenefits)
		require.False(t, held.AnswerLost, "no customer has this external id")

		require.NoError(t, e.operator.Approve(t.Context(), held.ID, ""))
		for _, fault := range []polartest.Fault{polartest.ResetAfterCommit(), polartest.ResetBeforeCommit()} { // both answers are lost
			e.polar.FailNextOf(polartest.OperationDeleteByID, 1, fault)
			e.clock.step(e.work(t, "e1"))
			require.True(t, e.row(t, "e1").AnswerLost)
			require.Empty(t, e.polar.Customers())
		}
		require.Equal(t, complete, e.work(t, "e1"))
		done := e.row(t, "e1")
		require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
		require.Equal(t, deletion.ConfirmedByRetry, done.ConfirmedBy, "although the look before the second request had found nobody")
		require.Equal(t, customer, done.CustomerID)
		require.Equal(t, deletion.SearchOrders, done.MetadataSearch)
	})
}
