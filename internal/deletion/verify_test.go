package deletion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestAVerificationFindsNobodyOrSaysWhomItFinds(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	verification, seen, decision := h.Verify(t.Context(), attempt("user_2"), 1)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationGone, verification)
	require.Equal(t, 404, seen.PolarStatus)
	require.Zero(t, seen.Customer)
	require.Equal(t, []int{1}, h.limiter.acquired)
	require.Equal(t, []deletion.Decision{nil}, h.limiter.reports, "Polar answered sensibly")

	verification, seen, decision = h.Verify(t.Context(), attempt("user_1"), 1)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationFound, verification)
	require.Equal(t, h.customer.ID, seen.Customer.ID)
	require.True(t, h.polar.Exists("user_1"), "a verification never deletes")
	require.Zero(t, h.deletes())
	require.Empty(t, h.journal.sendings)
}

func TestAVerificationDistrustsAReplicaForAWhile(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.requireDeleted(t, attempt("user_1"))
	h.polar.SetReplicaLag(time.Hour)
	a := attempt("user_1")
	a.Seen = deletion.Customer{ID: h.customer.ID}
	for tries := 1; tries < 6; tries++ {
		_, _, decision := h.Verify(t.Context(), a, tries)
		require.Equal(t, deletion.Retry{Reason: deletion.RetryReplica}, withoutError(decision))
	}
	verification, _, decision := h.Verify(t.Context(), a, 6)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationFound, verification, "that is no lag any more")

	// Another customer with the id is no lag at all.
	a.Seen.ID = "another"
	verification, _, decision = h.Verify(t.Context(), a, 1)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationFound, verification)
}

func TestTheAnswerToAVerificationIsJudgedAsThatToADELETE(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		faulty   func(*polartest.Server, polartest.Fault)
		fault    polartest.Fault
		decision deletion.Decision
		probes   int
	}{
		{"429 pauses all calls", failLookups, polartest.RateLimited(time.Second), deletion.Wait{Reason: deletion.WaitRateLimited, For: time.Second, Everybody: true}, 0},
		{"a refused token pauses all calls", failLookups, polartest.Status(401, "", ""), deletion.Wait{Reason: deletion.WaitUnauthorized, For: time.Minute, Everybody: true}, 0},
		{"503 is an outage", failLookups, polartest.Gateway(503), deletion.Retry{Reason: deletion.RetryServerError, Outage: true}, 0},
		{"a reset is an outage", failLookups, polartest.ResetBeforeCommit(), deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}, 0},
		{"a web page for this one comes to an error", failLookups, polartest.HTMLPage(), nil, 1},
		{"a web page for everything pauses all calls", (*polartest.Server).SetFault, polartest.HTMLPage(), deletion.Wait{Reason: deletion.WaitUnexpected, For: time.Minute, Everybody: true}, 1},
		{"a 403 about this one is tried again alone", failLookups, polartest.Cloudflare(1020), deletion.Retry{Reason: deletion.RetryForbidden}, 1},
		{"a lookup that is unavailable comes to an error", failLookups, polartest.RouteMissing(), nil, 0},
		{"422 comes to an error", failLookups, polartest.Status(422, "application/json", `{}`), nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			tt.faulty(h.polar, tt.fault)
			verification, seen, decision := h.Verify(t.Context(), attempt("user_1"), 1)
			require.Equal(t, tt.decision, withoutError(decision))
			require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
			require.Equal(t, tt.probes, h.deletes())
			require.False(t, seen.Sent)
			if decision == nil {
				require.Equal(t, deletion.VerificationError, verification)
			}
		})
	}
}
