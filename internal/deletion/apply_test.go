package deletion_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var _ deletion.Limiter = (*ratelimit.Limiter)(nil)

func TestApplyDeletesTheCustomer(t *testing.T) {
	t.Parallel()
	for _, anonymize := range []bool{false, true} {
		h := newHarness(t, func(o *deletion.Options) { o.Anonymize = anonymize })
		seen, decision := h.apply(t.Context(), attempt("user_1"))
		done := deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer, Anonymized: anonymize}
		require.Equal(t, done, decision)
		customer := deletion.Customer{ID: h.customer.ID, Type: "individual", CreatedAt: h.customer.CreatedAt, OrganizationID: polartest.OrganizationID}
		require.Equal(t, customer, seen.Customer)
		require.Equal(t, 204, seen.PolarStatus)
		require.Empty(t, seen.PolarError)
		require.True(t, seen.Sent)
		require.False(t, seen.GuardsBlind)
		require.Equal(t, []deletion.Decision{done}, h.limiter.reports, "one report for both requests")
		require.Equal(t, []int{2}, h.limiter.acquired, "one permit for both requests")
		require.Equal(t, []deletion.Sending{{
			Permit: permit{h.limiter, 2}, Saw: deletion.SawCustomer, Customer: customer, Counts: true, Anonymize: anonymize,
		}}, h.journal.sendings)
		calls := h.polar.Journal()
		require.Len(t, calls, 2)
		require.Equal(t, polartest.OperationGet, calls[0].Operation)
		require.False(t, calls[0].Anonymize)
		require.Equal(t, polartest.OperationDelete, calls[1].Operation)
		require.Equal(t, anonymize, calls[1].Anonymize)
	}
}

func TestACustomerThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	seen, decision := h.apply(t.Context(), attempt("user_2"))
	require.Equal(t, deletion.Done{Outcome: deletion.OutcomeNotFound, ConfirmedBy: deletion.ConfirmedByAnswer}, decision)
	require.Equal(t, 404, seen.PolarStatus)
	require.Equal(t, "ResourceNotFound", seen.PolarError)
	require.False(t, seen.Sent, "Polar has done nothing")

	require.Equal(t, deletion.SawNobody, h.journal.sendings[0].Saw)
	require.Zero(t, h.journal.sendings[0].Customer)
}

// What an earlier request came to, whose answer was lost, is concluded from what
// the lookup before it came to.
func TestACustomerThatIsNotThereAfterALostAnswer(t *testing.T) {
	t.Parallel()
	earlier := deletion.Customer{ID: "cus_2", Type: "individual"}
	for name, tt := range map[string]struct {
		saw      deletion.Saw
		seen     deletion.Customer
		decision deletion.Done
	}{
		"was deleted by that request, if its lookup had found them": {
			deletion.SawCustomer, earlier, deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByRetry, Anonymized: true},
		},
		"was never there, if its lookup had found nobody": {
			deletion.SawNobody, deletion.Customer{}, deletion.Done{Outcome: deletion.OutcomeNotFound, ConfirmedBy: deletion.ConfirmedByAnswer},
		},
		"may have been deleted, if nobody had looked": {
			deletion.SawNothing, deletion.Customer{}, deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByRetryUnseen, Anonymized: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, lookup := range []bool{true, false} {
				h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = lookup })
				repeat := attempt("user_2")
				repeat.AnswerLost, repeat.LostSaw, repeat.LostAnonymized, repeat.Seen = true, tt.saw, true, tt.seen
				seen, decision := h.apply(t.Context(), repeat)
				require.Equal(t, tt.decision, decision)
				require.Equal(t, tt.seen, seen.Customer)
				require.False(t, seen.Sent)
			}
		})
	}
}

func TestOnlyTheRequestThatDeletedSaysWhetherItAnonymized(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) { o.Anonymize = true })
	_, decision := h.apply(t.Context(), attempt("user_2"))
	require.False(t, as[deletion.Done](t, decision).Anonymized, "nobody was there")

	for _, lost := range []bool{true, false} {
		repeat := attempt("user_2")
		repeat.AnswerLost, repeat.LostSaw, repeat.LostAnonymized, repeat.Seen = true, deletion.SawCustomer, lost, deletion.Customer{ID: "cus_2"}
		_, decision = h.apply(t.Context(), repeat)
		require.Equal(t, lost, as[deletion.Done](t, decision).Anonymized, "what the earlier request asked for counts")
	}
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetAfterCommit())
	seen, decision := h.apply(t.Context(), attempt("user_1"))
	require.IsType(t, deletion.Retry{}, decision)
	require.True(t, seen.Sent)
	require.True(t, h.journal.sendings[len(h.journal.sendings)-1].Anonymize, "it was written down before it was sent")
}

func TestAProbeThatCannotBeCountedLeavesThePause(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.limiter.chargeError = errors.New("locked")
	failDeletes(h.polar, polartest.RouteMissing())
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.Equal(t, deletion.Wait{Reason: deletion.WaitUnexpected, For: time.Minute, Everybody: true, Err: h.limiter.chargeError}, decision)
	require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
	require.Equal(t, 1, h.deletes())
}

func TestDecisionsOnTheAnswerToADELETE(t *testing.T) {
	t.Parallel()
	always := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { failDeletes(s, f) }
	}
	once := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { s.FailNextOf(polartest.OperationDelete, 1, f) }
	}
	var (
		rateLimited  = deletion.Wait{Reason: deletion.WaitRateLimited, For: 8 * time.Second, Everybody: true}
		unauthorized = deletion.Wait{Reason: deletion.WaitUnauthorized, For: time.Minute, Everybody: true}
		unexpected   = deletion.Wait{Reason: deletion.WaitUnexpected, For: time.Minute, Everybody: true}
		serverError  = deletion.Retry{Reason: deletion.RetryServerError, Outage: true}
		networkError = deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}
		forbidden    = deletion.Retry{Reason: deletion.RetryForbidden}
	)
	tests := []struct {
		name     string
		faulty   func(*polartest.Server)
		decision deletion.Decision
		sent     bool
		calls    int // DELETEs
	}{
		{name: "429 pauses all calls", faulty: always(polartest.RateLimited(8 * time.Second)), decision: rateLimited, calls: 1},
		{name: "a revoked token pauses all calls", faulty: always(polartest.Status(401, "application/json", `{"error":"invalid_token"}`)), decision: unauthorized, calls: 1},
		{name: "500 is tried again, and may hide a success", faulty: always(polartest.InternalError()), decision: serverError, sent: true, calls: 1},
		{name: "a gateway's error may hide a success", faulty: always(polartest.Gateway(520)), decision: serverError, sent: true, calls: 1},
		{name: "a missing scope pauses all calls", faulty: always(polartest.Status(403, "application/json", `{"error":"insufficient_scope"}`)), decision: unauthorized, calls: 1},
		{name: "a customer who may not be managed is tried again alone", faulty: once(polartest.Status(403, "application/json", `{"error":"NotPermitted"}`)), decision: forbidden, calls: 2},
		{name: "a request that Cloudflare forbids is tried again alone", faulty: once(polartest.Cloudflare(1020)), decision: forbidden, calls: 2},
		{name: "one challenge page is tried again alone", faulty: once(polartest.Challenge()), decision: forbidden, calls: 2},
		{name: "Cloudflare that forbids everything pauses all calls", faulty: always(polartest.Cloudflare(1010)), decision: unexpected, calls: 2},
		{name: "a challenge for everything pauses all calls", faulty: always(polartest.Challenge()), decision: unexpected, calls: 2},
		{name: "a reset may hide a success", faulty: always(polartest.ResetAfterCommit()), decision: networkError, sent: true, calls: 1},
		{name: "a timeout may hide a success", faulty: always(polartest.Hang()), decision: networkError, sent: true, calls: 1},
		{name: "422 is for a human", faulty: always(polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`)), decision: deletion.Hold{Reason: deletion.HoldRejected}, calls: 1},
		{name: "one odd answer is for a human", faulty: once(polartest.RouteMissing()), decision: deletion.Hold{Reason: deletion.HoldUnexpected}, calls: 2},
		{name: "one odd success is for a human, and may be one", faulty: once(polartest.HTMLPage()), decision: deletion.Hold{Reason: deletion.HoldUnexpected}, sent: true, calls: 2},
		{name: "a removed API version pauses all calls", faulty: always(polartest.VersionRemoved()), decision: unexpected, calls: 2},
		{name: "a redirect pauses all calls", faulty: always(polartest.Redirect("/elsewhere")), decision: unexpected, calls: 2},
		{name: "a web page pauses all calls", faulty: always(polartest.HTMLPage()), decision: unexpected, sent: true, calls: 2},
		{name: "an odd answer in an outage is an outage", faulty: func(s *polartest.Server) {
			s.FailNextOf(polartest.OperationDelete, 1, polartest.RouteMissing())
			failDeletes(s, polartest.Gateway(503))
		}, decision: serverError, calls: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			tt.faulty(h.polar)
			seen, decision := h.apply(t.Context(), attempt("user_1"))
			require.Equal(t, tt.decision, withoutError(decision), "%v", errorOf(decision))
			require.Equal(t, []deletion.Decision{decision}, h.limiter.reports, "the limiter is told the very decision")
			require.Equal(t, tt.sent, seen.Sent)
			require.Equal(t, h.customer.ID, seen.Customer.ID)
			require.Equal(t, tt.calls, h.deletes())
			require.Equal(t, 1, h.polar.CallsOf(polartest.OperationGet))
			require.Len(t, h.journal.sendings, 1)
			require.Equal(t, tt.calls-1, h.limiter.charged, "every further request is counted")
			require.NotContains(t, errorOf(decision).Error(), "user_1")
			require.NotContains(t, errorOf(decision).Error(), polartest.DefaultToken)
		})
	}
}

func TestAnIDThatPolarCannotAddressIsHeldWithoutARequest(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, id := range []string{"a/b", "x/members/y", "", "..", "nul\x00"} {
		_, decision := h.apply(t.Context(), attempt(id))
		require.Equal(t, deletion.Hold{Reason: deletion.HoldUnaddressable}, withoutError(decision))
	}
	require.Zero(t, h.polar.Calls())
	require.Empty(t, h.limiter.acquired)
}

func TestWithoutAPermitNothingIsSent(t *testing.T) {
	t.Parallel()
	for _, refusal := range []deletion.Decision{
		deletion.Wait{Reason: deletion.WaitOutage, For: time.Second, Err: errors.New("no permit")},
		deletion.Retry{Reason: deletion.RetryDatabase, Err: errors.New("locked")},
	} {
		h := newHarness(t)
		h.limiter.refuse = refusal
		_, decision := h.apply(t.Context(), attempt("user_1"))
		require.Equal(t, refusal, decision)
		require.Zero(t, h.polar.Calls())
		require.Empty(t, h.journal.sendings)
	}
}

func TestAnErrorSaysHowPolarAnswered(t *testing.T) {
	t.Parallel()
	for want, faulty := range map[string]polartest.Fault{
		`^polar answered 500 \(request [0-9a-zA-Z-]+\)$`:                        polartest.InternalError(),
		`^polar answered 422 RequestValidationError \(request [0-9a-zA-Z-]+\)$`: polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`),
		`^polar delete_customer: .*(reset|EOF)`:                                 polartest.ResetBeforeCommit(),
	} {
		h := newHarness(t)
		failDeletes(h.polar, faulty)
		_, decision := h.apply(t.Context(), attempt("user_1"))
		require.Regexp(t, want, errorOf(decision).Error())
	}
	h := newHarness(t)
	h.polar.SetFault(polartest.Status(418, "", ""))
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.Regexp(t, `^polar answered 418`, errorOf(decision).Error())
}

// The limiter has to hear of a token that no request can be sent with.
func TestATokenThatCannotBeSentPausesAllCalls(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) {
		o.Polar = polar.New(polar.Options{Token: func() string { return "two\nlines" }})
	})
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.Equal(t, deletion.Wait{Reason: deletion.WaitUnauthorized, For: time.Minute, Everybody: true}, withoutError(decision))
	require.ErrorIs(t, errorOf(decision), polar.ErrUnusableToken)
	require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
}

func TestNothingIsSentForACustomerOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) {
		o.Owns = func(organization string) bool { return organization != polartest.OrganizationID }
	})
	_, decision := h.apply(t.Context(), attempt("user_1"))
	wait, ok := decision.(deletion.Wait)
	require.True(t, ok, "%#v", decision)
	require.Equal(t, deletion.WaitOtherOrganization, wait.Reason)
	require.False(t, wait.Everybody, "replicas of the right organization go on")
	require.Zero(t, h.polar.CallsOf(polartest.OperationDelete))
	_, decision = h.apply(t.Context(), attempt("nobody"))
	require.IsType(t, deletion.Done{}, decision, "nobody is nobody's")
}
