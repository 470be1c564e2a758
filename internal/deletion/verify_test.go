package deletion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestAVerificationFindsNobodyOrHoldsWhomItFinds(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	gone, err := h.Verify(t.Context(), attempt("user_2"))
	require.NoError(t, err)
	require.Equal(t, event.Verified{Verification: event.VerificationGone, PolarStatus: 404}, gone)
	require.Equal(t, []int{1}, h.slots.taken)
	require.Equal(t, []report{{}}, h.slots.reports)

	found, err := h.Verify(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldResurrected), fault.ReasonOf(err))
	require.Equal(t, h.customer.ID, found.Customer.ID)

	seen, err := h.Verify(t.Context(), approved(attempt("user_1"), event.HoldResurrected))
	require.NoError(t, err)
	require.Equal(t, event.VerificationFound, seen.Verification)
	require.True(t, h.polar.Exists("user_1"), "a verification never deletes")
	require.Zero(t, h.deletes())
}

func TestAVerificationDistrustsAReplicaForAWhile(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.requireDeleted(t, attempt("user_1"))
	h.polar.SetReplicaLag(time.Hour)
	a := attempt("user_1")
	a.Seen = event.Customer{ID: h.customer.ID}
	for a.Number = 1; a.Number < 6; a.Number++ {
		_, err := h.Verify(t.Context(), a)
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.Equal(t, deletion.ReasonReplica, fault.ReasonOf(err))
	}
	_, err := h.Verify(t.Context(), a)
	require.Equal(t, string(event.HoldResurrected), fault.ReasonOf(err), "that is no lag any more")

	// Another customer with the id is no lag at all.
	a.Number, a.Seen.ID = 1, "another"
	_, err = h.Verify(t.Context(), a)
	require.Equal(t, string(event.HoldResurrected), fault.ReasonOf(err))
}

func TestAVerificationIsJudgedAsADeletionIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		broken polartest.Fault
		kind   fault.Kind
		report report
	}{
		{polartest.RateLimited(time.Second), fault.Paused, report{fault.PauseRateLimited, time.Second}},
		{polartest.Status(401, "", ""), fault.Paused, report{fault.PauseUnauthorized, time.Minute}},
		{polartest.Gateway(503), fault.Unavailable, report{pause: fault.PauseOutage}},
		{polartest.ResetBeforeCommit(), fault.Unavailable, report{pause: fault.PauseOutage}},
		{polartest.HTMLPage(), fault.Held, report{}},
		{polartest.Cloudflare(1020), fault.Unavailable, report{}},
		{polartest.RouteMissing(), "", report{}},
		{polartest.Status(422, "application/json", `{}`), "", report{}},
	} {
		h := newHarness(t)
		breakLooks(h.polar, tt.broken)
		verified, err := h.Verify(t.Context(), attempt("user_1"))
		require.Equal(t, tt.kind, fault.KindOf(err), tt.broken.Name)
		require.Equal(t, []report{tt.report}, h.slots.reports, tt.broken.Name)
		if err == nil {
			require.Equal(t, event.VerificationError, verified.Verification)
		}
	}
}
