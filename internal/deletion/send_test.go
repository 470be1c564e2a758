package deletion_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestNothingIsSentWhenTheJournalRefuses(t *testing.T) {
	t.Parallel()
	err := errors.New("refused")
	for name, refusal := range map[string]deletion.Decision{
		"as the hour is full":                      deletion.Hold{Reason: deletion.HoldMassDeletion, Err: err},
		"as a pause began":                         deletion.Wait{Reason: deletion.WaitRateLimited, For: time.Minute, Err: err},
		"as the deletion was changed":              deletion.Wait{Reason: deletion.WaitChanged, Err: err},
		"as another run has a request on its way":  deletion.Wait{Reason: deletion.WaitInFlight, For: time.Second, Err: err},
		"as the database does not take the record": deletion.Retry{Reason: deletion.RetryDatabase, Err: err},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dryRun := range []bool{false, true} {
				h := newHarness(t)
				h.journal.refuse = refusal
				a := attempt("user_1")
				a.DryRun = dryRun
				seen, decision := h.apply(t.Context(), a)
				require.Equal(t, refusal, decision)
				require.False(t, seen.Sent)
				require.Equal(t, h.customer.ID, seen.Customer.ID)
				require.Equal(t, []deletion.Decision{refusal}, h.limiter.reports, "Polar has answered the lookup")
				require.Equal(t, 1, h.polar.Calls(), "nothing but the lookup")
				require.True(t, h.polar.Exists("user_1"))
			}
			h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = false })
			h.journal.refuse = refusal
			_, decision := h.apply(t.Context(), attempt("user_1"))
			require.Equal(t, refusal, decision)
			require.Zero(t, h.polar.Calls())
			require.Empty(t, h.limiter.reports, "nobody has asked Polar")
		})
	}
}

// What Polar did is what the row says: an operator's cancel, or the end of the
// program, must not hide it.
func TestADELETEThatIsUnderWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	t.Run("by the client's answer although the context ends", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		failDeletes(h.polar, polartest.Slow(100*time.Millisecond))
		ctx := h.cancelAfter(t, polartest.OperationDelete, 1)
		seen, decision := h.apply(ctx, attempt("user_1"))
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.Equal(t, deletion.OutcomeDeleted, as[deletion.Done](t, decision).Outcome)
		require.True(t, seen.Sent)
		require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
	})
	t.Run("for as long as one request may take", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		failDeletes(h.polar, polartest.Hang())
		seen, decision := h.apply(h.cancelAfter(t, polartest.OperationDelete, 1), attempt("user_1"))
		require.Equal(t, deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}, withoutError(decision))
		require.ErrorIs(t, errorOf(decision), context.DeadlineExceeded, "the request's own")
		require.True(t, seen.Sent)
	})
	t.Run("and so is the probe behind it", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.RouteMissing())
		h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Slow(100*time.Millisecond))
		_, decision := h.apply(h.cancelAfter(t, polartest.OperationDelete, 2), attempt("user_1"))
		require.Equal(t, deletion.Hold{Reason: deletion.HoldUnexpected}, withoutError(decision))
		require.Equal(t, 2, h.deletes())
		require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
	})
	t.Run("also where the context ended while it was written down", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		ctx, cancel := context.WithCancel(t.Context())
		h.journal.during = func(context.Context) { cancel() }
		_, decision := h.apply(ctx, attempt("user_1"))
		require.Equal(t, deletion.OutcomeDeleted, as[deletion.Done](t, decision).Outcome)
	})
}

// A process that stood still must not delete whoever came since.
func TestADELETEIsNotBegunAfterTheDeadline(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	h.journal.during = func(ctx context.Context) { <-ctx.Done() }
	seen, decision := h.apply(ctx, attempt("user_1"))
	require.Len(t, h.journal.sendings, 1)
	require.Zero(t, h.deletes())
	require.True(t, h.polar.Exists("user_1"))
	require.False(t, seen.Sent)
	require.IsNotType(t, deletion.Done{}, decision)
	require.ErrorIs(t, errorOf(decision), context.DeadlineExceeded)
	h.requireNobodyPaused(t)
}

// Only an answer which proves that nothing was done takes a request back.
func TestSentByStatus(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	mayBeDone := func(status int) bool {
		return status <= 299 || status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooEarly
	}
	for status := 200; status <= 599; status++ {
		body := `{}`
		if status == http.StatusNoContent || status == http.StatusNotModified {
			body = "" // a server that sends one closes the connection, and the next request finds out
		}
		h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Status(status, "application/json", body))
		seen, decision := h.apply(t.Context(), attempt("user_1"))
		require.Equal(t, mayBeDone(status), seen.Sent, status)
		require.Equal(t, status, seen.PolarStatus)
		require.Equal(t, decisionOn(status), withoutError(decision), status)
		require.Equal(t, decision, h.limiter.reports[len(h.limiter.reports)-1], status)
	}
}

// decisionOn is the decision on a status with a body that says nothing, where the
// probe works.
func decisionOn(status int) deletion.Decision {
	switch {
	case status == http.StatusNoContent:
		return deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer}
	case status == http.StatusTooManyRequests:
		return deletion.Wait{Reason: deletion.WaitRateLimited, For: time.Minute, Everybody: true}
	case status == http.StatusUnauthorized:
		return deletion.Wait{Reason: deletion.WaitUnauthorized, For: time.Minute, Everybody: true}
	case status == http.StatusForbidden:
		return deletion.Retry{Reason: deletion.RetryForbidden}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return deletion.Hold{Reason: deletion.HoldRejected}
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return deletion.Retry{Reason: deletion.RetryServerError, Outage: true}
	}
	return deletion.Hold{Reason: deletion.HoldUnexpected}
}

func TestSentWithoutAStatus(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault polartest.Fault
		sent  bool
	}{
		"a reset before it was carried out cannot be told from one after": {polartest.ResetBeforeCommit(), true},
		"a reset after it was carried out":                                {polartest.ResetAfterCommit(), true},
		"no answer":                                                       {polartest.Hang(), true},
		"a 204 that is slow":                                              {polartest.Slow(10 * time.Millisecond), true},
		"ResourceNotFound":                                                {polartest.Status(404, "application/json", `{"error":"ResourceNotFound"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			failDeletes(h.polar, tt.fault)
			seen, _ := h.apply(t.Context(), attempt("user_1"))
			require.Equal(t, tt.sent, seen.Sent)
		})
	}
	t.Run("half of a 404", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Truncated())
		seen, decision := h.apply(t.Context(), attempt("user_2"))
		require.Equal(t, deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}, withoutError(decision))
		require.True(t, seen.Sent, "whether it says that there is nobody is not known")
	})
	t.Run("nobody was reached", func(t *testing.T) {
		t.Parallel()
		closed := httptest.NewServer(http.NotFoundHandler())
		closed.Close()
		base, err := url.Parse(closed.URL)
		require.NoError(t, err)
		h := newHarness(t, func(o *deletion.Options) {
			o.LookBeforeDelete = false
			o.Polar = polar.New(polar.Options{BaseURL: base, Token: func() string { return "token" }})
		})
		seen, decision := h.apply(t.Context(), attempt("user_1"))
		require.Equal(t, deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}, withoutError(decision))
		require.False(t, seen.Sent)
		require.Equal(t, []deletion.Decision{decision}, h.limiter.reports, "that is an outage")
	})
}

// The DELETE itself is waited for; whatever else is under way ends with us, and
// neither opens the circuit breaker nor pauses anybody.
func TestARequestThatEndsWithTheContextSaysNothingAboutPolar(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, h *harness) (deletion.Observed, deletion.Decision){
		"the lookup": func(t *testing.T, h *harness) (deletion.Observed, deletion.Decision) {
			t.Helper()
			h.polar.SetFault(polartest.Hang())
			return h.apply(h.cancelAfter(t, polartest.OperationGet, 1), attempt("user_1"))
		},
		"the probe after an odd lookup": func(t *testing.T, h *harness) (deletion.Observed, deletion.Decision) {
			t.Helper()
			h.polar.FailNextOf(polartest.OperationGet, 1, polartest.HTMLPage())
			failDeletes(h.polar, polartest.Hang())
			return h.apply(h.cancelAfter(t, polartest.OperationDelete, 1), attempt("user_1"))
		},
		"what a dry run asks for": func(t *testing.T, h *harness) (deletion.Observed, deletion.Decision) {
			t.Helper()
			h.polar.FailNextOf(polartest.OperationState, 1, polartest.Hang())
			a := attempt("user_1")
			a.DryRun = true
			return h.apply(h.cancelAfter(t, polartest.OperationState, 1), a)
		},
		"the lookup of a verification": func(t *testing.T, h *harness) (deletion.Observed, deletion.Decision) {
			t.Helper()
			h.polar.SetFault(polartest.Hang())
			_, seen, decision := h.Verify(h.cancelAfter(t, polartest.OperationGet, 1), attempt("user_1"), 1)
			return seen, decision
		},
	}
	for name, apply := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			seen, decision := apply(t, h)
			require.Equal(t, deletion.Wait{Reason: deletion.WaitStopping}, withoutError(decision), "it costs no attempt")
			require.False(t, seen.Sent)
			require.Empty(t, h.limiter.reports)
			require.True(t, h.polar.Exists("user_1"))
		})
	}
}

func TestAnAnswerThatCameBeforeTheContextEndedIsReported(t *testing.T) {
	t.Parallel()
	for _, fault := range []polartest.Fault{polartest.RateLimited(time.Minute), polartest.Status(401, "", ""), polartest.Gateway(503)} {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHarness(t)
		h.onRequest = cancel
		h.polar.SetFault(fault)
		_, decision := h.apply(ctx, attempt("user_1"))
		require.NotEqual(t, deletion.Wait{Reason: deletion.WaitStopping}, withoutError(decision), fault.Name)
		require.Equal(t, []deletion.Decision{decision}, h.limiter.reports, fault.Name)
		require.Equal(t, 1, h.polar.Calls())
	}
}

func TestWhatIsReportedIsTheDecisionThatIsReturned(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 401, 403, 422, 429, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			for _, operation := range []polartest.Operation{polartest.OperationGet, polartest.OperationDelete} {
				h := newHarness(t)
				h.polar.FailNextOf(operation, 1, polartest.Status(status, "application/json", `{}`))
				_, decision := h.apply(t.Context(), attempt("user_1"))
				require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
			}
		})
	}
}
