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

func TestADryRunSaysWhatWouldHaveBeenLost(t *testing.T) {
	t.Parallel()
	for _, look := range []bool{true, false} {
		h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = look })
		h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred(), ActiveSubscriptions: 2, GrantedBenefits: 3})
		for id, want := range map[string]event.Loss{"user_1": {ActiveSubscriptions: 2, GrantedBenefits: 3}, "user_2": {}} {
			dry := attempt(id)
			dry.DryRun = true
			result, err := h.Apply(t.Context(), dry)
			require.NoError(t, err)
			require.Equal(t, event.OutcomeDryRun, result.Outcome)
			require.Equal(t, &want, result.Loss)
			require.Equal(t, look && id == "user_1", result.Customer.ID != "")
		}
		require.Zero(t, h.deletes())
		require.True(t, h.polar.Exists("user_1"))
	}
}

func TestADryRunMeetsTheGuardsAndPolarsTrouble(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
	dry := attempt("user_1")
	dry.DryRun = true
	h.requireHeld(t, dry, event.HoldTeam)

	dry.Approved = []event.HoldReason{event.HoldTeam, event.HoldRecreated}
	for _, broken := range []struct {
		fault polartest.Fault
		kind  fault.Kind
	}{
		{polartest.Gateway(503), fault.Unavailable},
		{polartest.RateLimited(time.Second), fault.Paused},
		{polartest.HTMLPage(), ""},
		{polartest.RouteMissing(), ""},
		{polartest.Cloudflare(1020), ""},
	} {
		h.polar.FailNextOf(polartest.OperationState, 1, broken.fault)
		result, err := h.Apply(t.Context(), dry)
		require.Equal(t, broken.kind, fault.KindOf(err), broken.fault.Name)
		require.Nil(t, result.Loss, "Polar did not tell")
	}
	require.Zero(t, h.deletes())
}
