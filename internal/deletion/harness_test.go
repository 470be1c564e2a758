package deletion_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// freeLimiter gives a permit whenever it is asked and records what it is told.
type freeLimiter struct {
	refuse      deletion.Decision
	chargeError error

	mutex    sync.Mutex
	reports  []deletion.Decision
	acquired []int
	charged  int
}

// permit is one of a freeLimiter's.
type permit struct {
	limiter  *freeLimiter
	requests int
}

func (f *freeLimiter) Acquire(_ context.Context, requests int) (deletion.Permit, deletion.Decision) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.acquired = append(f.acquired, requests)
	return permit{f, requests}, nil
}

func (f *freeLimiter) Charge(ctx context.Context) error {
	if ctx.Err() != nil { // as a database answers
		return ctx.Err()
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.charged++
	return f.chargeError
}

func (p permit) Report(ctx context.Context, d deletion.Decision) error {
	p.limiter.mutex.Lock()
	defer p.limiter.mutex.Unlock()
	p.limiter.reports = append(p.limiter.reports, d)
	return ctx.Err()
}

// journal records what is about to be sent.
type journal struct {
	// refuse is why nothing may be sent; nil lets everything pass.
	refuse deletion.Decision
	// hourFull refuses what takes a place in the hour.
	hourFull bool
	// during is called while it is written down; nil does nothing.
	during func(context.Context)

	sendings []deletion.Sending
}

func (j *journal) BeginSend(ctx context.Context, s deletion.Sending) deletion.Decision {
	j.sendings = append(j.sendings, s)
	if j.during != nil {
		j.during(ctx)
	}
	if j.hourFull && s.Counts {
		return deletion.Hold{Reason: deletion.HoldMassDeletion, Err: errors.New("the hour is full")}
	}
	return j.refuse
}

type harness struct {
	*deletion.Deleter

	polar    *polartest.Server
	limiter  *freeLimiter
	journal  *journal
	customer polartest.Customer // user_1
	logs     *observer.ObservedLogs
	registry *prometheus.Registry

	// onRequest is called with every answer; nil does nothing.
	onRequest func()
}

// newHarness is a Deleter with the guards as they are shipped, and a customer
// user_1 who is older than the event.
func newHarness(t *testing.T, change ...func(*deletion.Options)) *harness {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	h := &harness{
		polar: polartest.Start(t, polartest.Options{}), limiter: &freeLimiter{}, journal: &journal{}, logs: logs, registry: prometheus.NewRegistry(),
	}
	client := polar.New(polar.Options{
		BaseURL: h.polar.URL(), Token: func() string { return polartest.DefaultToken }, Timeout: time.Second, Now: time.Now,
		OnRequest: func(string, string, time.Duration) {
			if h.onRequest != nil {
				h.onRequest()
			}
		},
	})
	t.Cleanup(client.CloseIdleConnections)
	o := deletion.Options{
		Polar: client, Limiter: h.limiter, Now: time.Now, Logger: zap.New(core),
		Metrics:          metrics.New(h.registry, metrics.Options{Providers: []string{"clerk"}, Enabled: []string{"clerk"}}),
		LookBeforeDelete: true, HoldTeam: true, HoldRecreated: true,
	}
	for _, c := range change {
		c(&o)
	}
	h.Deleter = deletion.New(o)
	h.customer = h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred().Add(-time.Hour)})
	return h
}

// apply makes one attempt with the harness' journal.
func (h *harness) apply(ctx context.Context, a deletion.Attempt) (deletion.Observed, deletion.Decision) {
	return h.Apply(ctx, a, h.journal)
}

// deletes counts the DELETEs that reached Polar, probes included.
func (h *harness) deletes() int { return h.polar.CallsOf(polartest.OperationDelete) }

// attempts is the counter of attempts with the result.
func (h *harness) attempts(t *testing.T, result string) float64 {
	t.Helper()
	return h.counter(t, "polar_bridge_deletion_attempts_total", map[string]string{"provider": "clerk", "result": result})
}

// searched is the counter of searches with the result.
func (h *harness) searched(t *testing.T, result deletion.Search) float64 {
	t.Helper()
	return h.counter(t, "polar_bridge_metadata_searches_total", map[string]string{"result": string(result)})
}

func (h *harness) counter(t *testing.T, name string, want map[string]string) float64 {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetName() == name && maps.Equal(labels, want) {
				return metric.GetCounter().GetValue()
			}
		}
	}
	require.FailNow(t, "no such series", "%s %v", name, want)
	return 0
}

// guardsBlind are the gauges of the guards that see nothing.
func (h *harness) guardsBlind(t *testing.T) map[string]float64 {
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

// requireHeld requires that the deletion is held for the reason and that Polar
// was not asked to delete anything.
func (h *harness) requireHeld(t *testing.T, a deletion.Attempt, reason deletion.HoldReason) deletion.Observed {
	t.Helper()
	before := h.deletes()
	seen, decision := h.apply(t.Context(), a)
	require.Equal(t, reason, as[deletion.Hold](t, decision).Reason)
	require.Equal(t, before, h.deletes())
	require.False(t, seen.Sent)
	require.Equal(t, decision, h.limiter.reports[len(h.limiter.reports)-1], "Polar answered sensibly")
	require.NotContains(t, errorOf(decision).Error(), a.ExternalID)
	return seen
}

func (h *harness) requireDeleted(t *testing.T, a deletion.Attempt) (deletion.Observed, deletion.Done) {
	t.Helper()
	seen, decision := h.apply(t.Context(), a)
	done := as[deletion.Done](t, decision)
	require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
	return seen, done
}

// requireNobodyPaused requires that the limiter was told of no fault of Polar's.
func (h *harness) requireNobodyPaused(t *testing.T) {
	t.Helper()
	for _, decision := range h.limiter.reports {
		retry, failed := decision.(deletion.Retry)
		require.False(t, failed && retry.Outage, "no outage is counted")
		wait, waits := decision.(deletion.Wait)
		require.False(t, waits && wait.Everybody, "nobody is paused")
	}
}

// as is the decision as one of that type, which it must be.
func as[D deletion.Decision](t *testing.T, decision deletion.Decision) D {
	t.Helper()
	want, ok := decision.(D)
	require.True(t, ok, "%#v", decision)
	return want
}

// errorOf is the error in a decision.
func errorOf(decision deletion.Decision) error {
	switch decision := decision.(type) {
	case deletion.Hold:
		return decision.Err
	case deletion.Wait:
		return decision.Err
	case deletion.Retry:
		return decision.Err
	}
	return nil
}

// withoutError is the decision without the error in it, to be compared.
func withoutError(decision deletion.Decision) deletion.Decision {
	switch decision := decision.(type) {
	case deletion.Hold:
		decision.Err = nil
		return decision
	case deletion.Wait:
		decision.Err = nil
		return decision
	case deletion.Retry:
		decision.Err = nil
		return decision
	}
	return decision
}

// failDeletes makes all DELETEs fail, and no lookup.
func failDeletes(s *polartest.Server, fault polartest.Fault) {
	s.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation == polartest.OperationDelete {
			return fault
		}
		return polartest.Fault{}
	})
}

// failLookups makes all lookups fail, and no DELETE.
func failLookups(s *polartest.Server, fault polartest.Fault) {
	s.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation == polartest.OperationDelete {
			return polartest.Fault{}
		}
		return fault
	})
}

// occurred is when the events of these tests happened.
func occurred() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func attempt(externalID string) deletion.Attempt {
	return deletion.Attempt{
		Deletion: deletion.Deletion{Provider: "clerk", EventID: "e", UserID: externalID, ExternalID: externalID, OccurredAt: occurred(), ReceivedAt: occurred()},
		ID:       7,
	}
}

// approved lets the attempt pass those guards for the customer, "" for anybody.
func approved(a deletion.Attempt, customerID string, reasons ...deletion.HoldReason) deletion.Attempt {
	for _, reason := range reasons {
		a.Approved = append(a.Approved, deletion.Approval{Reason: reason, CustomerID: customerID})
	}
	return a
}

// cancelAfter returns a context that ends once Polar has got so many calls of
// the operation.
func (h *harness) cancelAfter(t *testing.T, operation polartest.Operation, calls int) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCallsOf(ctx, operation, calls); err == nil {
			cancel()
		}
	}()
	return ctx
}
