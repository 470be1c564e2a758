package deletion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func recordsLoss(o *deletion.Options) { o.RecordLoss = true }

// addPaying adds a paying customer who is older than the event.
func (h *harness) addPaying(externalID, kind string) {
	h.polar.AddCustomer(polartest.Customer{
		ExternalID: externalID, Type: kind, CreatedAt: occurred().Add(-time.Hour), ActiveSubscriptions: 2, GrantedBenefits: 3,
	})
}

func TestWhatIsLostIsRecordedBeforeTheGuards(t *testing.T) {
	t.Parallel()
	lost := &deletion.Loss{ActiveSubscriptions: 2, GrantedBenefits: 3}
	h := newHarness(t, recordsLoss)
	h.addPaying("user_paying", "")
	seen, _ := h.requireDeleted(t, attempt("user_paying"))
	require.Equal(t, lost, seen.Loss)
	require.Equal(t, lost, h.journal.sendings[0].Loss, "it is on disk before the DELETE is sent")
	require.Equal(t, []int{3}, h.limiter.acquired, "all permits are taken together")

	h.addPaying("team", "team")
	require.Equal(t, lost, h.requireHeld(t, attempt("team"), deletion.HoldTeam).Loss)

	seen, decision := h.apply(t.Context(), attempt("nobody"))
	require.Equal(t, deletion.OutcomeNotFound, as[deletion.Done](t, decision).Outcome)
	require.Nil(t, seen.Loss)
	require.Equal(t, 2, h.polar.CallsOf(polartest.OperationState), "nobody has a state")
}

func TestNothingIsAskedAboutTheLossUnlessItIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.addPaying("user_paying", "")
	seen, _ := h.requireDeleted(t, attempt("user_paying"))
	require.Nil(t, seen.Loss)
	require.Equal(t, []int{2}, h.limiter.acquired)
	require.Zero(t, h.polar.CallsOf(polartest.OperationState))
}

func TestALossThatPolarDoesNotTellStopsNoDeletion(t *testing.T) {
	t.Parallel()
	for _, fault := range []polartest.Fault{
		polartest.Gateway(503), polartest.RateLimited(time.Minute), polartest.Status(401, "", ""), polartest.Cloudflare(1020), polartest.RouteMissing(),
		polartest.HTMLPage(), polartest.ResetBeforeCommit(), polartest.Hang(), polartest.Status(200, "application/json", `{}`),
	} {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, recordsLoss)
			h.addPaying("user_paying", "")
			h.polar.FailNextOf(polartest.OperationState, 10, fault) // net/http repeats a reset one by itself
			seen, _ := h.requireDeleted(t, attempt("user_paying"))
			require.Nil(t, seen.Loss)
			require.Equal(t, 204, seen.PolarStatus)
			require.Equal(t, 1, h.deletes(), "nothing is probed")
			h.requireNobodyPaused(t)
		})
	}
}

func TestADryRunAsksOnceForTheLoss(t *testing.T) {
	t.Parallel()
	h := newHarness(t, recordsLoss)
	h.addPaying("user_paying", "")
	dry := attempt("user_paying")
	dry.DryRun = true
	seen, decision := h.apply(t.Context(), dry)
	require.Equal(t, deletion.Done{Outcome: deletion.OutcomeDryRun}, decision)
	require.Equal(t, 2, seen.Loss.ActiveSubscriptions)
	require.Equal(t, 1, h.polar.CallsOf(polartest.OperationState))
}
