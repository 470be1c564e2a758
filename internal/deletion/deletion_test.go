package deletion_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/slots"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var _ deletion.Slots = (*slots.Limiter)(nil)

// report is what a slot was told about its request.
type report struct {
	pause string
	wait  time.Duration
}

// freeSlots hands out a slot whenever asked and remembers the reports.
type freeSlots struct {
	refuse error

	spendError error

	mutex   sync.Mutex
	reports []report
	spent   int
}

func (f *freeSlots) Take(context.Context) (func(context.Context, string, time.Duration) error, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	return func(ctx context.Context, pause string, wait time.Duration) error {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		f.reports = append(f.reports, report{pause, wait})
		return ctx.Err()
	}, nil
}

func (f *freeSlots) Spend(context.Context) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.spent++
	return f.spendError
}

type harness struct {
	*deletion.Deleter

	polar *polartest.Server
	slots *freeSlots
}

func newHarness(t *testing.T, change ...func(*deletion.Options)) *harness {
	t.Helper()
	h := &harness{polar: polartest.Start(t, polartest.Options{}), slots: &freeSlots{}}
	client := polar.New(polar.Options{
		BaseURL: h.polar.URL(), Token: func() string { return polartest.DefaultToken }, Timeout: time.Second, Now: time.Now,
	})
	t.Cleanup(client.CloseIdleConnections)
	o := deletion.Options{
		Polar: client, Slots: h.slots, Now: time.Now,
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{Providers: []string{"clerk"}}),
	}
	for _, c := range change {
		c(&o)
	}
	h.Deleter = deletion.New(o)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	return h
}

func attempt(externalID string) event.Attempt {
	return event.Attempt{Deletion: event.Deletion{Provider: "clerk", EventID: "e", ExternalID: externalID}, Number: 1}
}

func TestACustomerIsDeleted(t *testing.T) {
	t.Parallel()
	for _, anonymize := range []bool{false, true} {
		h := newHarness(t, func(o *deletion.Options) { o.Anonymize = anonymize })
		result, err := h.Apply(t.Context(), attempt("user_1"))
		require.NoError(t, err)
		require.Equal(t, event.Result{
			Outcome: event.OutcomeDeleted, ConfirmedBy: event.ConfirmedByAnswer, PolarStatus: 204, Anonymized: anonymize,
		}, result)
		require.Equal(t, []report{{}}, h.slots.reports)
		require.Equal(t, anonymize, h.polar.Journal()[0].Anonymize)
	}
}

func TestACustomerThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	result, err := h.Apply(t.Context(), attempt("user_2"))
	require.NoError(t, err)
	require.Equal(t, event.OutcomeNotFound, result.Outcome)

	repeat := attempt("user_2")
	repeat.AnswerLost = true
	result, err = h.Apply(t.Context(), repeat)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
	require.Equal(t, event.ConfirmedByRetry, result.ConfirmedBy)
}

func TestOnlyTheRequestThatDeletedSaysWhetherItAnonymized(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) { o.Anonymize = true })
	result, err := h.Apply(t.Context(), attempt("user_2"))
	require.NoError(t, err)
	require.False(t, result.Anonymized, "nobody was there")

	for _, lost := range []bool{true, false} {
		repeat := attempt("user_2")
		repeat.AnswerLost, repeat.LostAnonymized = true, lost
		result, err = h.Apply(t.Context(), repeat)
		require.NoError(t, err)
		require.Equal(t, lost, result.Anonymized, "what the earlier request asked for counts")
	}
	h.polar.FailNext(1, polartest.ResetAfterCommit())
	result, err = h.Apply(t.Context(), attempt("user_1"))
	require.Error(t, err)
	require.True(t, result.AnswerLost)
	require.True(t, result.Anonymized)
}

func TestAProbeThatCannotBeCountedLeavesThePause(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.slots.spendError = fault.New(fault.Unavailable, fault.ReasonDatabase, "locked")
	h.polar.SetFault(polartest.RouteMissing())
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, []report{{fault.PauseUnexpected, time.Minute}}, h.slots.reports)
	require.Equal(t, 1, h.polar.Calls())
}

func TestAProbeBrokenOffByUsSaysNothingAboutPolar(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.FailNext(1, polartest.RouteMissing())
	h.polar.FailNext(1, polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCalls(ctx, 2); err == nil {
			cancel()
		}
	}()
	_, err := h.Apply(ctx, attempt("user_1"))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, h.slots.reports)
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	unreachable := func(s *polartest.Server) { s.RevokeToken(polartest.DefaultToken) }
	always := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { s.SetFault(f) }
	}
	once := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { s.FailNext(1, f) }
	}
	tests := []struct {
		name   string
		broken func(*polartest.Server)
		kind   fault.Kind
		reason string
		report report
		lost   bool
		calls  int
	}{
		{name: "429 stops everybody", broken: always(polartest.RateLimited(8 * time.Second)), kind: fault.Paused, reason: fault.PauseRateLimited, report: report{fault.PauseRateLimited, 8 * time.Second}, calls: 1},
		{name: "a revoked token stops everybody", broken: unreachable, kind: fault.Paused, reason: fault.PauseUnauthorized, report: report{fault.PauseUnauthorized, time.Minute}, calls: 1},
		{name: "500 is tried again", broken: always(polartest.InternalError()), kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, calls: 1},
		{name: "a gateway's error may hide a success", broken: always(polartest.Gateway(520)), kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "a challenge page is tried again", broken: always(polartest.Challenge()), kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, calls: 1},
		{name: "a reset may hide a success", broken: always(polartest.ResetAfterCommit()), kind: fault.Unavailable, reason: "network_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "a timeout may hide a success", broken: always(polartest.Hang()), kind: fault.Unavailable, reason: "network_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "422 is for a human", broken: always(polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`)), kind: fault.Held, reason: string(event.HoldRejected), calls: 1},
		{name: "one odd answer is for a human", broken: once(polartest.RouteMissing()), kind: fault.Held, reason: string(event.HoldUnexpected), calls: 2},
		{name: "a removed API version stops everybody", broken: always(polartest.VersionRemoved()), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a redirect stops everybody", broken: always(polartest.Redirect("/elsewhere")), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a web page stops everybody", broken: always(polartest.HTMLPage()), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "an odd answer in an outage is an outage", broken: func(s *polartest.Server) {
			s.FailNext(1, polartest.RouteMissing())
			s.SetFault(polartest.Gateway(503))
		}, kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, calls: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			tt.broken(h.polar)
			result, err := h.Apply(t.Context(), attempt("user_1"))
			require.Equal(t, tt.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, tt.reason, fault.ReasonOf(err))
			require.Equal(t, tt.report.wait, fault.RetryAfterOf(err))
			require.Equal(t, []report{tt.report}, h.slots.reports)
			require.Equal(t, tt.lost, result.AnswerLost)
			require.Equal(t, tt.calls, h.polar.Calls())
			require.Equal(t, tt.calls-1, h.slots.spent, "every further request is counted")
			require.NotContains(t, err.Error(), "user_1")
			require.NotContains(t, err.Error(), polartest.DefaultToken)
		})
	}
}

func TestAnIDThatPolarCannotAddressIsHeldUnasked(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, id := range []string{"a/b", "x/members/y", "", "..", "nul\x00"} {
		_, err := h.Apply(t.Context(), attempt(id))
		require.Equal(t, fault.Held, fault.KindOf(err))
		require.Equal(t, string(event.HoldUnaddressable), fault.ReasonOf(err))
	}
	require.Zero(t, h.polar.Calls())
}

func TestADryRunAsksNobody(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	dry := attempt("user_1")
	dry.DryRun = true
	result, err := h.Apply(t.Context(), dry)
	require.NoError(t, err)
	require.Equal(t, event.Result{Outcome: event.OutcomeDryRun}, result)
	require.Zero(t, h.polar.Calls())
}

func TestWithoutASlotNothingIsSent(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.slots.refuse = fault.New(fault.Paused, fault.PauseOutage, "not now").After(time.Second)
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.ErrorIs(t, err, h.slots.refuse)
	require.Zero(t, h.polar.Calls())
}

func TestACallBrokenOffByUsSaysNothingAboutPolar(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetFault(polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCalls(ctx, 1); err == nil {
			cancel()
		}
	}()
	result, err := h.Apply(ctx, attempt("user_1"))
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, result.AnswerLost)
	require.Empty(t, h.slots.reports)
}

func TestAnErrorSaysHowPolarAnswered(t *testing.T) {
	t.Parallel()
	for want, broken := range map[string]polartest.Fault{
		`^delete customer: polar answered 500 \(request [0-9a-zA-Z-]+\)$`:                        polartest.InternalError(),
		`^delete customer: polar answered 422 RequestValidationError \(request [0-9a-zA-Z-]+\)$`: polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`),
		`^delete customer: polar delete_customer: .*(reset|EOF)`:                                 polartest.ResetBeforeCommit(),
	} {
		h := newHarness(t)
		h.polar.SetFault(broken)
		_, err := h.Apply(t.Context(), attempt("user_1"))
		require.Regexp(t, want, err.Error())
	}
	h := newHarness(t)
	h.polar.SetFault(polartest.Status(418, "", ""))
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Regexp(t, `^delete customer: polar answered 418`, err.Error())
}
