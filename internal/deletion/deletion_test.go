package deletion_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

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
	taken   []int
	spent   int
}

func (f *freeSlots) Take(_ context.Context, requests int) (func(context.Context, string, time.Duration) error, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.taken = append(f.taken, requests)
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

	polar    *polartest.Server
	slots    *freeSlots
	customer polartest.Customer // user_1
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
}

// newHarness is a Deleter with the guards as they are shipped, but for the
// window, and a customer user_1 who is older than the event.
func newHarness(t *testing.T, change ...func(*deletion.Options)) *harness {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	h := &harness{polar: polartest.Start(t, polartest.Options{}), slots: &freeSlots{}, logs: logs, registry: prometheus.NewRegistry()}
	client := polar.New(polar.Options{
		BaseURL: h.polar.URL(), Token: func() string { return polartest.DefaultToken }, Timeout: time.Second, Now: time.Now,
	})
	t.Cleanup(client.CloseIdleConnections)
	o := deletion.Options{
		Polar: client, Slots: h.slots, Now: time.Now, Logger: zap.New(core),
		Metrics:          metrics.New(h.registry, metrics.Options{Providers: []string{"clerk"}}),
		LookBeforeDelete: true, HoldTeam: true, HoldRecreated: true,
	}
	for _, c := range change {
		c(&o)
	}
	h.Deleter = deletion.New(o)
	h.customer = h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred().Add(-time.Hour)})
	return h
}

// deletes are the DELETEs that reached Polar, probes included.
func (h *harness) deletes() int { return h.polar.CallsOf(polartest.OperationDelete) }

// attempts is the counter of attempts with the result.
func (h *harness) attempts(t *testing.T, result string) float64 {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetName() == "polar_bridge_deletion_attempts_total" && labels["provider"] == "clerk" && labels["result"] == result {
				return metric.GetCounter().GetValue()
			}
		}
	}
	require.FailNow(t, "no such series", result)
	return 0
}

// breakDeletes makes all DELETEs fail, and no look.
func breakDeletes(s *polartest.Server, fault polartest.Fault) {
	s.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation == polartest.OperationDelete {
			return fault
		}
		return polartest.Fault{}
	})
}

// occurred is when the events of these tests happened.
func occurred() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func attempt(externalID string) event.Attempt {
	return event.Attempt{
		Deletion: event.Deletion{Provider: "clerk", EventID: "e", UserID: externalID, ExternalID: externalID, OccurredAt: occurred(), ReceivedAt: occurred()},
		ID:       7, Number: 1,
	}
}

func TestACustomerIsDeleted(t *testing.T) {
	t.Parallel()
	for _, anonymize := range []bool{false, true} {
		h := newHarness(t, func(o *deletion.Options) { o.Anonymize = anonymize })
		result, err := h.Apply(t.Context(), attempt("user_1"))
		require.NoError(t, err)
		require.Equal(t, event.Result{
			Outcome: event.OutcomeDeleted, ConfirmedBy: event.ConfirmedByAnswer, PolarStatus: 204, Anonymized: anonymize,
			Customer: event.Customer{ID: h.customer.ID, Type: "individual", CreatedAt: h.customer.CreatedAt},
		}, result)
		require.Equal(t, []report{{}}, h.slots.reports, "one report for both requests")
		require.Equal(t, []int{2}, h.slots.taken, "both slots together")
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
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetAfterCommit())
	result, err = h.Apply(t.Context(), attempt("user_1"))
	require.Error(t, err)
	require.True(t, result.AnswerLost)
	require.True(t, result.Anonymized)
}

func TestAProbeThatCannotBeCountedLeavesThePause(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.slots.spendError = fault.New(fault.Unavailable, fault.ReasonDatabase, "locked")
	breakDeletes(h.polar, polartest.RouteMissing())
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, []report{{fault.PauseUnexpected, time.Minute}}, h.slots.reports)
	require.Equal(t, 1, h.deletes())
}

func TestAProbeBrokenOffByUsSaysNothingAboutPolar(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.RouteMissing())
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCallsOf(ctx, polartest.OperationDelete, 2); err == nil {
			cancel()
		}
	}()
	_, err := h.Apply(ctx, attempt("user_1"))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, h.slots.reports)
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	always := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { breakDeletes(s, f) }
	}
	once := func(f polartest.Fault) func(*polartest.Server) {
		return func(s *polartest.Server) { s.FailNextOf(polartest.OperationDelete, 1, f) }
	}
	revoked := polartest.Status(401, "application/json", `{"error":"invalid_token"}`)
	tests := []struct {
		name   string
		broken func(*polartest.Server)
		kind   fault.Kind
		reason string
		report report
		lost   bool
		calls  int // DELETEs
	}{
		{name: "429 stops everybody", broken: always(polartest.RateLimited(8 * time.Second)), kind: fault.Paused, reason: fault.PauseRateLimited, report: report{fault.PauseRateLimited, 8 * time.Second}, calls: 1},
		{name: "a revoked token stops everybody", broken: always(revoked), kind: fault.Paused, reason: fault.PauseUnauthorized, report: report{fault.PauseUnauthorized, time.Minute}, calls: 1},
		{name: "500 is tried again", broken: always(polartest.InternalError()), kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, calls: 1},
		{name: "a gateway's error may hide a success", broken: always(polartest.Gateway(520)), kind: fault.Unavailable, reason: "server_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "a missing scope stops everybody", broken: always(polartest.Status(403, "application/json", `{"error":"insufficient_scope"}`)), kind: fault.Paused, reason: fault.PauseUnauthorized, report: report{fault.PauseUnauthorized, time.Minute}, calls: 1},
		{name: "a customer who may not be managed is tried again alone", broken: once(polartest.Status(403, "application/json", `{"error":"NotPermitted"}`)), kind: fault.Unavailable, reason: "forbidden", calls: 2},
		{name: "a request that Cloudflare forbids is tried again alone", broken: once(polartest.Cloudflare(1020)), kind: fault.Unavailable, reason: "forbidden", calls: 2},
		{name: "one challenge page is tried again alone", broken: once(polartest.Challenge()), kind: fault.Unavailable, reason: "forbidden", calls: 2},
		{name: "Cloudflare that forbids everything stops everybody", broken: always(polartest.Cloudflare(1010)), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a challenge for everything stops everybody", broken: always(polartest.Challenge()), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a reset may hide a success", broken: always(polartest.ResetAfterCommit()), kind: fault.Unavailable, reason: "network_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "a timeout may hide a success", broken: always(polartest.Hang()), kind: fault.Unavailable, reason: "network_error", report: report{pause: fault.PauseOutage}, lost: true, calls: 1},
		{name: "422 is for a human", broken: always(polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`)), kind: fault.Held, reason: string(event.HoldRejected), calls: 1},
		{name: "one odd answer is for a human", broken: once(polartest.RouteMissing()), kind: fault.Held, reason: string(event.HoldUnexpected), calls: 2},
		{name: "a removed API version stops everybody", broken: always(polartest.VersionRemoved()), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a redirect stops everybody", broken: always(polartest.Redirect("/elsewhere")), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "a web page stops everybody", broken: always(polartest.HTMLPage()), kind: fault.Paused, reason: fault.PauseUnexpected, report: report{fault.PauseUnexpected, time.Minute}, calls: 2},
		{name: "an odd answer in an outage is an outage", broken: func(s *polartest.Server) {
			s.FailNextOf(polartest.OperationDelete, 1, polartest.RouteMissing())
			breakDeletes(s, polartest.Gateway(503))
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
			require.Equal(t, tt.calls, h.deletes())
			require.Equal(t, 1, h.polar.CallsOf(polartest.OperationGet))
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
	breakDeletes(h.polar, polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCallsOf(ctx, polartest.OperationDelete, 1); err == nil {
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
		breakDeletes(h.polar, broken)
		_, err := h.Apply(t.Context(), attempt("user_1"))
		require.Regexp(t, want, err.Error())
	}
	h := newHarness(t)
	h.polar.SetFault(polartest.Status(418, "", ""))
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Regexp(t, `^delete customer: polar answered 418`, err.Error())
}
