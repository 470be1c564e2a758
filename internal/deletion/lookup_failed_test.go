package deletion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// failedBefore is an attempt after so many failures.
func failedBefore(failures int64) deletion.Attempt {
	a := attempt("user_1")
	a.Failures = failures
	return a
}

// lookupFailures are answers to a lookup that may be over a moment later.
func lookupFailures() map[string]polartest.Fault {
	return map[string]polartest.Fault{"500": polartest.InternalError(), "a gateway's": polartest.Gateway(502), "none in time": polartest.Hang(), "a reset": polartest.ResetBeforeCommit()}
}

func TestALookupThatAlwaysFails(t *testing.T) {
	t.Parallel()
	for name, fault := range lookupFailures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("counts as an outage at first", func(t *testing.T) {
				t.Parallel()
				h := newHarness(t)
				failLookups(h.polar, fault)
				_, decision := h.apply(t.Context(), failedBefore(4))
				require.True(t, as[deletion.Retry](t, decision).Outage)
				require.Zero(t, h.deletes(), "nor is there a probe")
			})
			t.Run("stops nobody else when Polar works", func(t *testing.T) {
				t.Parallel()
				h := newHarness(t)
				failLookups(h.polar, fault)
				seen, decision := h.apply(t.Context(), failedBefore(5))
				require.Equal(t, deletion.Retry{Reason: deletion.RetryLookup}, withoutError(decision))
				require.Error(t, errorOf(decision))
				require.Equal(t, []deletion.Decision{decision}, h.limiter.reports, "the limiter hears that Polar answers")
				require.Equal(t, 1, h.limiter.charged, "the probe is counted")
				require.Equal(t, 1, h.deletes())
				require.Equal(t, 1, h.polar.CallsOf(polartest.OperationGet))
				require.True(t, h.polar.Exists("user_1"))
				require.False(t, seen.Sent)
				require.Empty(t, h.journal.sendings)
			})
			t.Run("goes on when that is approved, without guards that look", func(t *testing.T) {
				t.Parallel()
				h := newHarness(t, func(o *deletion.Options) { o.HoldBlind = true })
				failLookups(h.polar, fault)
				seen, done := h.requireDeleted(t, approved(failedBefore(5), h.customer.ID, deletion.HoldExhausted))
				require.Equal(t, deletion.ConfirmedByAnswer, done.ConfirmedBy)
				require.True(t, seen.GuardsBlind)
				require.Equal(t, []deletion.Decision{done}, h.limiter.reports)
				require.True(t, h.journal.sendings[0].Counts, "anybody may be a customer")
				require.Equal(t, deletion.SawNothing, h.journal.sendings[0].Saw)
			})
		})
	}
}

func TestTheProbeAfterAFailedLookupDecidesAboutAllCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault polartest.Fault
		want  deletion.Decision
	}{
		"an outage is one":                {polartest.Gateway(503), deletion.Retry{Reason: deletion.RetryServerError, Outage: true}},
		"a 429 to it pauses them":         {polartest.RateLimited(8 * time.Second), deletion.Wait{Reason: deletion.WaitRateLimited, For: 8 * time.Second, Everybody: true}},
		"an odd answer to it pauses, too": {polartest.RouteMissing(), deletion.Wait{Reason: deletion.WaitUnexpected, For: time.Minute, Everybody: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
				if e.Operation == polartest.OperationDelete {
					return tt.fault
				}
				return polartest.InternalError()
			})
			_, decision := h.apply(t.Context(), failedBefore(5))
			require.Equal(t, tt.want, withoutError(decision))
			require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
		})
	}
}

func TestAnApprovedDeletionIsLookedUpAllTheSame(t *testing.T) {
	t.Parallel()
	exhausted := approved(failedBefore(5), "", deletion.HoldExhausted)
	h := newHarness(t)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred().Add(time.Hour)})
	h.requireHeld(t, exhausted, deletion.HoldRecreated)

	h.polar.SetFault(polartest.RateLimited(8 * time.Second))
	_, decision := h.apply(t.Context(), exhausted)
	require.Equal(t, deletion.WaitRateLimited, as[deletion.Wait](t, decision).Reason)
	require.Zero(t, h.deletes())

	h.polar.ClearFaults()
	failLookups(h.polar, polartest.Hang())
	_, decision = h.apply(h.cancelAfter(t, polartest.OperationGet, 3), exhausted)
	require.Equal(t, deletion.WaitStopping, as[deletion.Wait](t, decision).Reason)
	require.Zero(t, h.deletes())
}
