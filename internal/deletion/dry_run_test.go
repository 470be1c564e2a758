package deletion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestADryRunSaysWhatWouldHaveBeenLost(t *testing.T) {
	t.Parallel()
	for _, lookup := range []bool{true, false} {
		h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = lookup })
		h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred(), ActiveSubscriptions: 2, GrantedBenefits: 3})
		for id, want := range map[string]deletion.Loss{"user_1": {ActiveSubscriptions: 2, GrantedBenefits: 3}, "user_2": {}} {
			dry := attempt(id)
			dry.DryRun = true
			seen, decision := h.apply(t.Context(), dry)
			require.Equal(t, deletion.Done{Outcome: deletion.OutcomeDryRun}, decision)
			require.Equal(t, &want, seen.Loss)
			require.Equal(t, lookup && id == "user_1", seen.Customer.ID != "")
			require.False(t, seen.Sent)
		}
		require.Zero(t, h.deletes())
		require.True(t, h.polar.Exists("user_1"))
	}
}

func TestADryRunMeetsTheGuardsAndPolarsFaults(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	team := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
	dry := attempt("user_1")
	dry.DryRun = true
	h.requireHeld(t, dry, deletion.HoldTeam)

	dry = approved(dry, team.ID, deletion.HoldTeam, deletion.HoldRecreated)
	untold := deletion.Done{Outcome: deletion.OutcomeDryRun} // Polar did not tell
	for _, tt := range []struct {
		fault    polartest.Fault
		decision deletion.Decision
	}{
		{polartest.Gateway(503), deletion.Retry{Reason: deletion.RetryServerError, Outage: true}},
		{polartest.RateLimited(time.Second), deletion.Wait{Reason: deletion.WaitRateLimited, For: time.Second, Everybody: true}},
		{polartest.HTMLPage(), untold},
		{polartest.RouteMissing(), untold},
		{polartest.Cloudflare(1020), untold},
	} {
		h.polar.FailNextOf(polartest.OperationState, 1, tt.fault)
		seen, decision := h.apply(t.Context(), dry)
		require.Equal(t, tt.decision, withoutError(decision), tt.fault.Name)
		require.Nil(t, seen.Loss)
		require.Equal(t, decision, h.limiter.reports[len(h.limiter.reports)-1])
		require.False(t, seen.Sent)
	}
	require.Zero(t, h.deletes())
}
