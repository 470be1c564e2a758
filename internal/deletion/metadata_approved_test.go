package deletion_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestTheApprovedCustomerIsDeletedByPolarsID(t *testing.T) {
	t.Parallel()
	h := searching(t, func(o *deletion.Options) { o.Anonymize, o.RecordLoss = true, true })
	customer := h.add(polartest.Customer{Metadata: names(leaver), ActiveSubscriptions: 3})
	h.add(polartest.Customer{Metadata: names("another")})
	others := len(h.polar.Customers())
	seen, done := h.requireDeleted(t, approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata))
	require.Equal(t, deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer, Anonymized: true}, done)
	require.Equal(t, customer.ID, seen.Customer.ID)
	require.Equal(t, 3, seen.Loss.ActiveSubscriptions)
	require.Len(t, h.polar.Customers(), others-1)
	require.False(t, h.lives(customer.ID))
	require.Zero(t, h.deletes(), "by the external id")
	require.Equal(t, []int{5}, h.limiter.acquired)
	require.Zero(t, h.limiter.charged)
	require.Equal(t, 5, h.polar.Calls())
	sent := h.journal.sendings[0]
	require.Equal(t, deletion.SawFound, sent.Saw)
	require.Equal(t, customer.ID, sent.Customer.ID)
	require.True(t, sent.Counts, "it takes a place in the hour")
}

func TestAnApprovedCustomerIsHeldAgainInDoubt(t *testing.T) {
	t.Parallel()
	mine := names(leaver)
	for name, tt := range map[string]struct {
		customer polartest.Customer
		change   func(h *harness, id string)
		want     deletion.Search
		decision deletion.Decision
	}{
		"the metadata have changed": {polartest.Customer{Metadata: names("another")}, nil, deletion.SearchNobody, holdFound},
		"they got an external id":   {polartest.Customer{Metadata: mine, ExternalID: "another"}, nil, deletion.SearchNobody, holdFound},
		"another one has them, too": {polartest.Customer{Metadata: mine}, func(h *harness, _ string) { h.add(polartest.Customer{Orders: []map[string]any{mine}}) }, deletion.SearchAmbiguous, holdAmbiguous},
		"another one has them":      {polartest.Customer{}, func(h *harness, _ string) { h.add(polartest.Customer{Metadata: mine}) }, deletion.SearchCustomers, holdFound},
		"Polar ignores the filter":  {polartest.Customer{Metadata: mine}, func(h *harness, _ string) { h.polar.DropFilter("metadata[userId]") }, deletion.SearchFilterIgnored, holdFound},
		"Polar does so of the orders": {polartest.Customer{Metadata: mine}, func(h *harness, _ string) {
			h.polar.FailNextOf(polartest.OperationOrders, 1, polartest.Status(200, "application/json", `{"items":[{"metadata":{}}],"pagination":{"total_count":1}}`))
		}, deletion.SearchCustomers, holdFound},
		"they are a team": {polartest.Customer{Metadata: mine, Type: "team"}, nil, deletion.SearchCustomers, deletion.Hold{Reason: deletion.HoldTeam}},
		"Polar fails": {polartest.Customer{Metadata: mine}, func(h *harness, _ string) {
			h.polar.FailNextOf(polartest.OperationOrders, 1, polartest.InternalError())
		}, deletion.SearchCustomers, triesAgain},
		"Polar is odd": {polartest.Customer{Metadata: mine}, func(h *harness, _ string) { h.polar.FailNextOf(polartest.OperationList, 1, polartest.HTMLPage()) }, deletion.SearchNobody, triesAgain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := searching(t)
			customer := h.add(tt.customer)
			if tt.change != nil {
				tt.change(h, customer.ID)
			}
			h.requireSearched(t, approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata), tt.want, tt.decision)
			require.True(t, h.lives(customer.ID))
			require.Empty(t, h.journal.sendings)
		})
	}
	t.Run("the key is not set any more", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		customer := h.add(polartest.Customer{Metadata: mine})
		_, decision := h.apply(t.Context(), approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata))
		require.Equal(t, holdFound, withoutError(decision))
		require.Zero(t, h.polar.Calls())
	})
	t.Run("but an outage is everybody's", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: mine})
		h.polar.SetFault(polartest.Gateway(503))
		_, decision := h.apply(t.Context(), approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata))
		require.True(t, as[deletion.Retry](t, decision).Outage)
		require.True(t, h.lives(customer.ID))
	})
	t.Run("but their own external id is none", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: mine, ExternalID: leaver})
		_, done := h.requireDeleted(t, approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata))
		require.Equal(t, endsDeleted, done)
	})
}

func TestAnotherApprovalDoesNotSpareTheLookBeforeAnApprovedCustomer(t *testing.T) {
	t.Parallel()
	fails := func(h *harness, of polartest.Operation) { h.polar.FailNextOf(of, 1, polartest.InternalError()) }
	t.Run("when it was given before anybody was found", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: names(leaver)})
		fails(h, polartest.OperationOrders)
		a := approved(approved(attempt(leaver), "", deletion.HoldExhausted), customer.ID, deletion.HoldFoundByMetadata)
		h.requireSearched(t, a, deletion.SearchCustomers, triesAgain)
		require.True(t, h.lives(customer.ID))
	})
	t.Run("when the search does not find them any more", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: names("another")})
		fails(h, polartest.OperationStateByID)
		a := approved(attempt(leaver), customer.ID, deletion.HoldExhausted, deletion.HoldFoundByMetadata)
		h.requireSearched(t, a, deletion.SearchUnsearchable, holdFound)
		require.True(t, h.lives(customer.ID))
	})
	t.Run("but it does for exactly that customer", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: names(leaver)})
		fails(h, polartest.OperationOrders)
		_, done := h.requireDeleted(t, approved(attempt(leaver), customer.ID, deletion.HoldExhausted, deletion.HoldFoundByMetadata))
		require.Equal(t, endsDeleted, done)
		require.False(t, h.lives(customer.ID))
		require.Equal(t, deletion.SawFound, h.journal.sendings[0].Saw, "a request about that customer, should its answer be lost")
	})
}

func TestASearchThatIsTooSlowStopsNobodyElse(t *testing.T) {
	t.Parallel()
	h := searching(t)
	customer := h.add(polartest.Customer{Metadata: names(leaver)})
	h.polar.SetFault(polartest.Slow(900 * time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, decision := h.apply(ctx, approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata))
	require.Equal(t, triesAgain, withoutError(decision))
	h.requireNobodyPaused(t)
	require.True(t, h.lives(customer.ID))
}

func TestWhoeverHasTheExternalIDIsDeletedWhenTheApprovedCustomerIsGone(t *testing.T) {
	t.Parallel()
	const gone = "c0ffee00-0000-4000-8000-0000000000ff"
	for name, looks := range map[string]bool{"after a look": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := searching(t, func(o *deletion.Options) { o.LookBeforeDelete = looks })
			customer := h.add(polartest.Customer{ExternalID: leaver})
			_, done := h.requireDeleted(t, approved(attempt(leaver), gone, deletion.HoldFoundByMetadata))
			require.Equal(t, endsDeleted, done)
			require.False(t, h.lives(customer.ID))
			require.NotEqual(t, deletion.SawFound, h.journal.sendings[0].Saw)
		})
	}
	t.Run("unless a guard holds that", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.add(polartest.Customer{ExternalID: leaver, Type: "team"})
		h.requireSearched(t, approved(attempt(leaver), gone, deletion.HoldFoundByMetadata), "", deletion.Hold{Reason: deletion.HoldTeam})
	})
}

func TestALostAnswerAboutAnApprovedCustomer(t *testing.T) {
	t.Parallel()
	lost := func(id string) deletion.Attempt {
		a := attempt(leaver)
		a.AnswerLost, a.LostSaw, a.Seen = true, deletion.SawFound, deletion.Customer{ID: id}
		return a
	}
	t.Run("means deleted when they are gone", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: names(leaver)})
		a := approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata)
		h.polar.FailNextOf(polartest.OperationDeleteByID, 1, polartest.ResetAfterCommit())
		seen, decision := h.apply(t.Context(), a)
		require.True(t, as[deletion.Retry](t, decision).Outage)
		require.True(t, seen.Sent)
		require.False(t, h.lives(customer.ID))

		seen, done := h.requireDeleted(t, approved(lost(customer.ID), customer.ID, deletion.HoldFoundByMetadata))
		require.Equal(t, endsByRetry, done)
		require.Equal(t, customer.ID, seen.Customer.ID)
		require.Empty(t, seen.Search, "what found them before stays")
	})
	t.Run("says nothing about the external id", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		customer := h.add(polartest.Customer{Metadata: names("another")})
		seen, decision := h.apply(t.Context(), lost(customer.ID))
		require.Equal(t, holdFound, withoutError(decision))
		require.Equal(t, deletion.SearchNobody, seen.Search)
		require.True(t, h.lives(customer.ID))
	})
	t.Run("is no answer about a customer whom somebody else deleted", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.requireSearched(t, approved(attempt(leaver), "c0ffee00-0000-4000-8000-0000000000ff", deletion.HoldFoundByMetadata), deletion.SearchNobody, endsNotFound)
	})
}

func TestADryRunSearchesToo(t *testing.T) {
	t.Parallel()
	for _, looks := range []bool{true, false} {
		h := searching(t, func(o *deletion.Options) { o.LookBeforeDelete = looks })
		a := attempt(leaver)
		a.DryRun = true
		h.requireSearched(t, a, deletion.SearchNobody, deletion.Done{Outcome: deletion.OutcomeDryRun})
		customer := h.add(polartest.Customer{Metadata: names(leaver), ActiveSubscriptions: 1})
		h.requireSearched(t, a, deletion.SearchCustomers, holdFound)
		seen := h.requireSearched(t, approved(a, customer.ID, deletion.HoldFoundByMetadata), deletion.SearchCustomers, deletion.Done{Outcome: deletion.OutcomeDryRun})
		require.Equal(t, 1, seen.Loss.ActiveSubscriptions)
	}
}

func TestAVerificationLooksForTheCustomerWhoWasFound(t *testing.T) {
	t.Parallel()
	h := searching(t)
	customer := h.add(polartest.Customer{Metadata: names(leaver)})
	a := approved(attempt(leaver), customer.ID, deletion.HoldFoundByMetadata)
	a.Seen = deletion.Customer{ID: customer.ID}
	_, _, decision := h.Verify(t.Context(), a, 1)
	require.Equal(t, deletion.RetryReplica, as[deletion.Retry](t, decision).Reason)
	found, _, _ := h.Verify(t.Context(), a, 100)
	require.Equal(t, deletion.VerificationFound, found)

	a = approved(attempt(leaver), "c0ffee00-0000-4000-8000-0000000000ff", deletion.HoldFoundByMetadata)
	a.Seen.ID = "c0ffee00-0000-4000-8000-0000000000ff"
	found, seen, _ := h.Verify(t.Context(), a, 1)
	require.Equal(t, deletion.VerificationGone, found)
	require.Equal(t, deletion.SubscriptionsEndedYes, seen.SubscriptionsEnded)
	require.Equal(t, []int{3, 3, 3}, h.limiter.acquired)
	h.add(polartest.Customer{ExternalID: leaver})
	found, _, _ = h.Verify(t.Context(), a, 1)
	require.Equal(t, deletion.VerificationFound, found, "by the external id")
}
