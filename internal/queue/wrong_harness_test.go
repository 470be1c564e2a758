package queue_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// point is where an attempt stands.
type point string

const (
	beforeLookup point = "before the lookup"
	afterLookup  point = "between the lookup and begin send"
	beforeDelete point = "between begin send and the request"
	afterDelete  point = "after the answer, before the decision is on disk"
)

func points() []point { return []point{beforeLookup, afterLookup, beforeDelete, afterDelete} }

// wire carries requests to Polar and lets a test act at each point.
type wire struct {
	http.RoundTripper

	mutex sync.Mutex
	act   func(point)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	before, after := beforeLookup, afterLookup
	if r.Method == http.MethodDelete {
		before, after = beforeDelete, afterDelete
	}
	w.at(before)
	defer w.at(after)
	return w.RoundTripper.RoundTrip(r)
}

func (w *wire) at(p point) {
	w.mutex.Lock()
	act := w.act
	w.mutex.Unlock()
	if act != nil {
		act(p)
	}
}

// onceAt acts the first time that an attempt comes to the point.
func (w *wire) onceAt(wanted point, act func()) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.act = func(p point) {
		if p == wanted {
			w.mutex.Lock()
			w.act = nil
			w.mutex.Unlock()
			act()
		}
	}
}

// environment is a queue by hand with the real deletion.Deleter before a Polar.
type environment struct {
	*harness

	polar    *polartest.Server
	wire     *wire
	operator *ops.Operator
}

func newEnvironment(t testing.TB, db *database.DB, change ...func(*deletion.Options)) *environment {
	t.Helper()
	e := &environment{polar: polartest.Start(t, polartest.Options{}), wire: &wire{}}
	e.harness = e.replica(t, db, newClock(), change...)
	e.operator = operator(t, e.harness)
	return e
}

// replica is another queue before the same Polar.
func (e *environment) replica(t testing.TB, db *database.DB, c *clock, change ...func(*deletion.Options)) *harness {
	t.Helper()
	e.wire.RoundTripper = polarTransport(t)
	client := polar.New(polar.Options{
		BaseURL: e.polar.URL(), Token: func() string { return polartest.DefaultToken }, Timeout: 300 * time.Millisecond,
		Now: time.Now, Transport: e.wire,
	})
	o := deletion.Options{
		Polar: client, Limiter: limiter(t, db, c), Now: c.now, Logger: zap.NewNop(),
		Metrics:          metrics.New(prometheus.NewRegistry(), metrics.Options{Providers: []string{"clerk"}}),
		LookBeforeDelete: true, HoldTeam: true, HoldRecreated: true,
	}
	for _, c := range change {
		c(&o)
	}
	h := sharing(t, db, c, nil)
	h.applier.apply = deletion.New(o).Apply
	return h
}

func polarTransport(t testing.TB) http.RoundTripper {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// customer is somebody who bought before the user was deleted.
func (e *environment) customer(externalID string) polartest.Customer {
	return e.polar.AddCustomer(polartest.Customer{ExternalID: externalID, CreatedAt: e.clock.now().Add(-24 * time.Hour)})
}

// workAll works what waits, as often as it takes, and moves the clock on to when
// it is due.
func (e *environment) workAll(t testing.TB) {
	t.Helper()
	for range 20 {
		waiting := e.waiting(t)
		if len(waiting) == 0 {
			return
		}
		var longest time.Duration
		for _, eventID := range waiting {
			longest = max(longest, e.work(t, eventID))
		}
		e.clock.step(max(longest, time.Second))
	}
	require.FailNow(t, "deletions wait for ever")
}

// waiting are the events whose deletions wait.
func (e *environment) waiting(t testing.TB) (eventIDs []string) {
	t.Helper()
	ids, err := queue.IDs(t.Context(), e.db.Main, "SELECT id FROM polar_bridge_deletions WHERE state = 'waiting' ORDER BY id")
	require.NoError(t, err)
	records, err := e.Store().Records(t.Context(), e.db.Main, ids, e.now())
	require.NoError(t, err)
	for _, r := range records {
		eventIDs = append(eventIDs, r.EventID)
	}
	return eventIDs
}

// breakDeletes makes all DELETEs fail, and no lookup.
func (e *environment) breakDeletes(fault polartest.Fault) {
	e.polar.SetFaultFunc(func(entry polartest.Entry) polartest.Fault {
		if entry.Operation == polartest.OperationDelete {
			return fault
		}
		return polartest.Fault{}
	})
}
