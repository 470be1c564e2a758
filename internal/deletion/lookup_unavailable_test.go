package deletion_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// lookupsUnavailable are the answers of a Polar that has no such lookup (any more).
func lookupsUnavailable() []polartest.Fault {
	return []polartest.Fault{
		polartest.RouteMissing(), polartest.VersionRemoved(), polartest.Status(404, "text/html", "<html>"),
		polartest.Status(405, "application/json", `{"detail":"Method Not Allowed"}`),
		polartest.Redirect("/elsewhere"), polartest.Status(308, "", ""), polartest.Status(202, "application/json", "{}"), polartest.Status(204, "", ""),
	}
}

func TestALookupThatIsUnavailableIsLoggedOnceAndTheDeletionGoesOn(t *testing.T) {
	t.Parallel()
	for _, fault := range lookupsUnavailable() {
		h := newHarness(t)
		failLookups(h.polar, fault)
		for _, id := range []string{"user_1", "user_2"} {
			seen, decision := h.apply(t.Context(), attempt(id))
			require.IsType(t, deletion.Done{}, decision)
			require.True(t, seen.GuardsBlind)
		}
		require.Equal(t, 2, h.deletes())
		require.Equal(t, 1, h.polar.Deleted("user_1"))
		require.Len(t, h.logs.All(), 1)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.guardsBlind(t))
		for _, sending := range h.journal.sendings {
			require.True(t, sending.Counts, "anybody may be a customer")
			require.Equal(t, deletion.SawNothing, sending.Saw)
			require.Zero(t, sending.Customer)
		}

		// When it works again and fails again, that is news.
		h.polar.ClearFaults()
		seen, decision := h.apply(t.Context(), attempt("user_2"))
		require.IsType(t, deletion.Done{}, decision)
		require.False(t, seen.GuardsBlind)
		require.Equal(t, "customers can be looked up again", h.logs.All()[1].Message)
		require.Equal(t, map[string]float64{"team": 0, "recreated": 0}, h.guardsBlind(t))
		failLookups(h.polar, fault)
		_, decision = h.apply(t.Context(), attempt("user_2"))
		require.IsType(t, deletion.Done{}, decision)
		require.Len(t, h.logs.All(), 3)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.guardsBlind(t))
	}
}

func TestWithoutALookupDeletionsAreHeldWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	for _, fault := range lookupsUnavailable() {
		h := newHarness(t, func(o *deletion.Options) { o.HoldBlind = true })
		failLookups(h.polar, fault)
		seen := h.requireHeld(t, attempt("user_1"), deletion.HoldUnexpected)
		require.Equal(t, fault.Status, seen.PolarStatus)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.guardsBlind(t))
		h.requireHeld(t, approved(attempt("user_1"), "", deletion.HoldTeam), deletion.HoldUnexpected)
		h.requireDeleted(t, approved(attempt("user_1"), "", deletion.HoldTeam, deletion.HoldRecreated))
	}
	h := newHarness(t, func(o *deletion.Options) { o.HoldBlind, o.HoldTeam = true, false })
	failLookups(h.polar, polartest.RouteMissing())
	h.requireHeld(t, attempt("user_1"), deletion.HoldUnexpected)
	require.Equal(t, map[string]float64{"team": 0, "recreated": 1}, h.guardsBlind(t), "a guard that is off misses nothing")
	h.polar.ClearFaults()
	h.requireDeleted(t, attempt("user_1"))

	h = newHarness(t, func(o *deletion.Options) { o.HoldBlind, o.HoldTeam, o.HoldRecreated = true, false, false })
	failLookups(h.polar, polartest.RouteMissing())
	h.requireDeleted(t, attempt("user_1"))
	require.Equal(t, map[string]float64{"team": 0, "recreated": 0}, h.guardsBlind(t))
}
