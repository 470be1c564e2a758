package queue_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/metrics"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// applier is a scripted use case that remembers its attempts.
type applier struct {
	apply func(ctx context.Context, a event.Attempt) (event.Result, error)

	mutex    sync.Mutex
	attempts []event.Attempt
	changed  chan struct{}
}

func (f *applier) Apply(ctx context.Context, a event.Attempt) (event.Result, error) {
	f.mutex.Lock()
	f.attempts = append(f.attempts, a)
	close(f.changed)
	f.changed = make(chan struct{})
	f.mutex.Unlock()
	return f.apply(ctx, a)
}

func (f *applier) seen() ([]event.Attempt, <-chan struct{}) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]event.Attempt(nil), f.attempts...), f.changed
}

// wait returns the attempts once there are at least n.
func (f *applier) wait(t *testing.T, n int) []event.Attempt {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		attempts, changed := f.seen()
		if len(attempts) >= n {
			return attempts
		}
		select {
		case <-changed:
		case <-timeout:
			require.FailNow(t, "too few attempts", "%d of %d", len(attempts), n)
		}
	}
}

func deleted(context.Context, event.Attempt) (event.Result, error) {
	return event.Result{Outcome: event.OutcomeDeleted, ConfirmedBy: event.ConfirmedByAnswer, PolarStatus: 204}, nil
}

// harness is a queue on a real database with a scripted applier.
type harness struct {
	*queue.Queue

	db       *database.DB
	applier  *applier
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
}

type apply = func(ctx context.Context, a event.Attempt) (event.Result, error)

// start starts a queue; stop it with the returned harness or let the test end.
func start(t testing.TB, db *database.DB, apply apply, change ...func(*queue.Options)) *harness {
	t.Helper()
	h := prepare(t, db, apply, change...)
	require.NoError(t, h.Start(t.Context()))
	t.Cleanup(func() { h.stop(t) })
	return h
}

// unstarted is a queue that does not run.
func unstarted(t testing.TB, db *database.DB) *harness {
	t.Helper()
	return prepare(t, db, deleted)
}

func prepare(t testing.TB, db *database.DB, apply apply, change ...func(*queue.Options)) *harness {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	h := &harness{db: db, applier: &applier{apply: apply, changed: make(chan struct{})}, logs: logs, registry: prometheus.NewRegistry()}
	options := queue.Options{
		Driver: db.Driver(), DB: db.Main, Reader: db.Reader,
		Applier: h.applier, Logger: zap.New(core), Now: time.Now,
		Metrics: metrics.New(h.registry, metrics.Options{Providers: []string{"clerk"}}),
		LogID:   queue.LogID(queue.LogPlain, []byte("key")),
		Workers: 4, Retention: 72 * time.Hour,
	}
	for _, c := range change {
		c(&options)
	}
	q, err := queue.New(options)
	require.NoError(t, err)
	h.Queue = q
	return h
}

func (h *harness) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) //nolint:usetesting // runs in cleanup too
	defer cancel()
	require.NoError(t, h.Stop(ctx))
}

// line waits for a log line with the message.
func (h *harness) line(t *testing.T, message string) map[string]any {
	t.Helper()
	var found map[string]any
	require.Eventually(t, func() bool {
		entries := h.logs.FilterMessage(message).All()
		if len(entries) > 0 {
			found = entries[0].ContextMap()
		}
		return len(entries) > 0
	}, 20*time.Second, 10*time.Millisecond, "no line %q", message)
	return found
}

// job is what the tests read of a stored job.
type job struct {
	state, metadata string
	attempt         int
}

func (h *harness) job(t *testing.T, eventID string) job {
	t.Helper()
	cast := "CAST(json(metadata) AS text)"
	field := "args ->> '$.event_id'"
	if h.db.Dialect == database.Postgres {
		cast, field = "metadata::text", "args ->> 'event_id'"
	}
	var j job
	err := h.db.Main.QueryRowContext(t.Context(), "SELECT state, attempt, "+cast+" FROM river_job WHERE "+field+" = $1", eventID).
		Scan(&j.state, &j.attempt, &j.metadata)
	require.NoError(t, err)
	return j
}

func (h *harness) waitState(t *testing.T, eventID, state string) job {
	t.Helper()
	var j job
	require.Eventually(t, func() bool { j = h.job(t, eventID); return j.state == state },
		20*time.Second, 10*time.Millisecond, "never %s", state)
	return j
}

// waitTried waits until an attempt is over. In which state a failure then waits
// depends on how long its jitter is: River makes a short wait available at once.
func (h *harness) waitTried(t *testing.T, eventID string) job {
	t.Helper()
	var j job
	require.Eventually(t, func() bool { j = h.job(t, eventID); return j.attempt >= 1 && j.state != "running" },
		20*time.Second, 10*time.Millisecond, "never tried")
	require.Contains(t, []string{"available", "retryable"}, j.state)
	return j
}

func deletion(eventID, externalID string) event.Deletion {
	return event.Deletion{
		Provider: "clerk", EventID: eventID, UserID: externalID, ExternalID: externalID,
		OccurredAt: time.Now(), ReceivedAt: time.Now(),
	}
}

func unusable(eventID string) event.Deletion {
	return event.Deletion{Provider: "clerk", EventID: eventID, UnusableID: `"../x"`, OccurredAt: time.Now(), ReceivedAt: time.Now()}
}
