package deletion_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestALookThatIsImpossibleIsSaidOnceAndTheDeletionGoesOn(t *testing.T) {
	t.Parallel()
	for _, broken := range impossibleLooks() {
		places := &fewPlaces{places: 2}
		h := newHarness(t, func(o *deletion.Options) { o.Window = places })
		breakLooks(h.polar, broken)
		for i, id := range []string{"user_1", "user_2"} {
			a := attempt(id)
			a.ID = int64(i)
			_, err := h.Apply(t.Context(), a)
			require.NoError(t, err)
		}
		require.Equal(t, 2, h.deletes())
		require.Equal(t, 1, h.polar.Deleted("user_1"))
		require.Len(t, h.logs.All(), 1)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.blind(t))
		require.Len(t, places.counted, 2, "anybody may be a customer")

		// When it works again and breaks again, that is news.
		h.polar.ClearFaults()
		_, err := h.Apply(t.Context(), attempt("user_2"))
		require.NoError(t, err)
		require.Equal(t, "customers can be looked up again", h.logs.All()[1].Message)
		require.Equal(t, map[string]float64{"team": 0, "recreated": 0}, h.blind(t))
		breakLooks(h.polar, broken)
		a := attempt("user_2")
		a.ID = 0
		_, err = h.Apply(t.Context(), a)
		require.NoError(t, err)
		require.Len(t, h.logs.All(), 3)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.blind(t))
	}
}

// impossibleLooks are the answers of a Polar that has no such look (any more).
func impossibleLooks() []polartest.Fault {
	return []polartest.Fault{
		polartest.RouteMissing(), polartest.VersionRemoved(), polartest.Status(404, "text/html", "<html>"),
		polartest.Status(405, "application/json", `{"detail":"Method Not Allowed"}`),
		polartest.Redirect("/elsewhere"), polartest.Status(308, "", ""), polartest.Status(202, "application/json", "{}"), polartest.Status(204, "", ""),
	}
}

// blind are the gauges of the guards that see nothing.
func (h *harness) blind(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	found := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "polar_bridge_guards_blind" {
				found[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	return found
}

func TestBlindGuardsHoldWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	for _, broken := range impossibleLooks() {
		h := newHarness(t, func(o *deletion.Options) { o.HoldBlind = true })
		breakLooks(h.polar, broken)
		result := h.requireHeld(t, attempt("user_1"), event.HoldUnexpected)
		require.Equal(t, broken.Status, result.PolarStatus)
		require.Equal(t, map[string]float64{"team": 1, "recreated": 1}, h.blind(t))
		h.requireHeld(t, approved(attempt("user_1"), event.HoldTeam), event.HoldUnexpected)
		h.requireDeleted(t, approved(attempt("user_1"), event.HoldTeam, event.HoldRecreated))
	}
	h := newHarness(t, func(o *deletion.Options) { o.HoldBlind, o.HoldTeam = true, false })
	breakLooks(h.polar, polartest.RouteMissing())
	h.requireHeld(t, attempt("user_1"), event.HoldUnexpected)
	require.Equal(t, map[string]float64{"team": 0, "recreated": 1}, h.blind(t), "a guard that is off misses nothing")
	h.polar.ClearFaults()
	h.requireDeleted(t, attempt("user_1"))

	h = newHarness(t, func(o *deletion.Options) { o.HoldBlind, o.HoldTeam, o.HoldRecreated = true, false, false })
	breakLooks(h.polar, polartest.RouteMissing())
	h.requireDeleted(t, attempt("user_1"))
	require.Equal(t, map[string]float64{"team": 0, "recreated": 0}, h.blind(t))
}
