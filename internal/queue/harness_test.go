package queue_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/metrics"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

type apply = func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision)

// applier is a scripted use case that remembers its attempts and counts the
// requests that it was let send.
type applier struct {
	apply apply

	mutex    sync.Mutex
	attempts []deletion.Attempt
	sent     int
	changed  chan struct{}
}

func (f *applier) Apply(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
	f.mutex.Lock()
	f.attempts = append(f.attempts, a)
	close(f.changed)
	f.changed = make(chan struct{})
	f.mutex.Unlock()
	return f.apply(ctx, a, countingJournal{f, journal})
}

// countingJournal counts what it lets pass.
type countingJournal struct {
	applier *applier
	journal deletion.Journal
}

func (j countingJournal) BeginSend(ctx context.Context, s deletion.Sending) deletion.Decision {
	refusal := j.journal.BeginSend(ctx, s)
	if refusal == nil {
		j.applier.mutex.Lock()
		defer j.applier.mutex.Unlock()
		j.applier.sent++
	}
	return refusal
}

func (f *applier) requests() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.sent
}

func (f *applier) seen() ([]deletion.Attempt, <-chan struct{}) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]deletion.Attempt(nil), f.attempts...), f.changed
}

// wait returns the attempts once there are at least n.
func (f *applier) wait(t *testing.T, n int) []deletion.Attempt {
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

// sends sends a request, if it may, and decides on its answer.
func sends(seen deletion.Observed, decision deletion.Decision) apply {
	return func(ctx context.Context, _ deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		if refusal := journal.BeginSend(ctx, deletion.Sending{Customer: seen.Customer, Loss: seen.Loss, Counts: true}); refusal != nil {
			return deletion.Observed{}, refusal
		}
		return seen, decision
	}
}

// decides sends nothing.
func decides(decision deletion.Decision) apply {
	return func(context.Context, deletion.Attempt, deletion.Journal) (deletion.Observed, deletion.Decision) {
		return deletion.Observed{}, decision
	}
}

// inTurn is one script an attempt; the last one goes on.
func inTurn(scripts ...apply) apply {
	var n atomic.Int64
	return func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
		return scripts[min(int(n.Add(1)), len(scripts))-1](ctx, a, journal)
	}
}

// answered is what a request whose answer was seen leaves behind.
func answered(status int) deletion.Observed {
	return deletion.Observed{PolarStatus: status, Sent: status < 400 || status >= 500}
}

func doneDeleted() deletion.Done {
	return deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer}
}

func doneNotFound() deletion.Done {
	return deletion.Done{Outcome: deletion.OutcomeNotFound, ConfirmedBy: deletion.ConfirmedByAnswer}
}

func doneDryRun() deletion.Done {
	return deletion.Done{Outcome: deletion.OutcomeDryRun}
}

func serverError() deletion.Retry {
	return deletion.Retry{Reason: deletion.RetryServerError, Outage: true, Err: errors.New("polar answered 503")}
}

func networkError() deletion.Retry {
	return deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true, Err: errors.New("broken off")}
}

func hold(reason deletion.HoldReason) deletion.Hold {
	return deletion.Hold{Reason: reason, Err: errors.New("somebody must decide")}
}

func pause(d time.Duration) deletion.Wait {
	return deletion.Wait{Reason: deletion.WaitRateLimited, For: d, Everybody: true, Err: errors.New("as polar said")}
}

// deletes is Polar as it mostly is.
func deletes() apply { return sends(answered(204), doneDeleted()) }

// bound is a binding that does not change.
type bound struct {
	id   int64
	open bool
}

func (b bound) ID() int64  { return b.id }
func (b bound) Open() bool { return b.open }

// harness is a queue on a real database with a scripted applier.
type harness struct {
	*queue.Queue

	db       *database.DB
	applier  *applier
	logs     *observer.ObservedLogs
	registry *prometheus.Registry
	clock    *clock // nil when the queue has the real one

	stopLoops context.CancelFunc
	loops     sync.WaitGroup
}

// start starts a queue; stop it with the returned harness or let the test end.
func start(t testing.TB, db *database.DB, apply apply, change ...func(*queue.Options)) *harness {
	t.Helper()
	h := prepare(t, db, apply, nil, change...)
	h.run(t)
	return h
}

// byHand is a queue that accepts and writes, with a clock that is moved by hand.
// Jobs are worked when the test says so.
func byHand(t testing.TB, db *database.DB, apply apply, change ...func(*queue.Options)) *harness {
	t.Helper()
	return sharing(t, db, newClock(), apply, change...)
}

// sharing is another such queue, as another replica has it, with the clock.
func sharing(t testing.TB, db *database.DB, c *clock, apply apply, change ...func(*queue.Options)) *harness {
	t.Helper()
	h := prepare(t, db, apply, c, change...)
	t.Cleanup(h.StartCommitter(context.WithoutCancel(t.Context())))
	return h
}

func prepare(t testing.TB, db *database.DB, apply apply, c *clock, change ...func(*queue.Options)) *harness {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	h := &harness{
		db: db, applier: &applier{apply: apply, changed: make(chan struct{})}, logs: logs, registry: prometheus.NewRegistry(), clock: c,
	}
	options := queue.Options{
		Driver: db.Driver(), SQL: db.SQL, DB: db.Main, Reader: db.Reader, InPlace: db.InPlace, Key: []byte("key"), Binding: bound{id: 1, open: true},
		Applier: h.applier, Logger: zap.New(core), Now: time.Now,
		Metrics: metrics.New(h.registry, metrics.Options{Providers: []string{"clerk"}}),
		LogID:   queue.LogID(queue.LogPlain, []byte("key")),
		Workers: 4, Retention: 72 * time.Hour,
	}
	if c != nil {
		options.Now = c.now
	}
	for _, c := range change {
		c(&options)
	}
	if options.Limiter == nil {
		options.Limiter = limiter(t, db, c)
	}
	q, err := queue.New(options)
	require.NoError(t, err)
	h.Queue = q
	return h
}

// limiter is one without a rate. Without a clock of the test's it has that which
// the program would have.
func limiter(t testing.TB, db *database.DB, c *clock) *ratelimit.Limiter {
	t.Helper()
	o := ratelimit.Options{DB: db.Main, Reader: db.Reader, Name: "polar", Now: time.Now, SQL: db.SQL}
	if c != nil {
		o.Now, o.ProcessClock = c.now, true
	}
	l, err := ratelimit.New(t.Context(), o)
	require.NoError(t, err)
	return l
}

func (h *harness) now() time.Time {
	if h.clock == nil {
		return time.Now()
	}
	return h.clock.now()
}

func (h *harness) accept(t testing.TB, deletions ...deletion.Deletion) {
	t.Helper()
	_, err := h.Accept(t.Context(), deletions)
	require.NoError(t, err)
}

// row is all that a row says.
type row struct {
	queue.Record

	jobID, sentAt, countedAt int64
	inFlight, sentAnonymized bool
}

// row returns the one row of the event. What River's job and requests say of it
// is not older than the rest.
func (h *harness) row(t testing.TB, eventID string) row {
	t.Helper()
	var r row
	ids, err := queue.IDs(t.Context(), h.db.Main, "SELECT id FROM polar_bridge_deletions WHERE event_id = $1", eventID)
	require.NoError(t, err)
	records, err := h.Store().Records(t.Context(), h.db.Main, ids, h.now())
	require.NoError(t, err)
	require.Len(t, records, 1)
	r.Record = records[0]
	require.NoError(t, h.db.Main.QueryRowContext(t.Context(),
		"SELECT job_id, sent_at, counted_at, in_flight, sent_anonymized FROM polar_bridge_deletions WHERE id = $1", r.ID).
		Scan(&r.jobID, &r.sentAt, &r.countedAt, &r.inFlight, &r.sentAnonymized))
	approvals, err := h.Store().Approvals(t.Context(), h.db.Main, r.ID)
	require.NoError(t, err)
	r.Approved = approvals[r.ID]
	return r
}

// set changes a column of all rows.
func (h *harness) set(t testing.TB, column string, value any) {
	t.Helper()
	_, err := h.db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET "+column+" = $1", value)
	require.NoError(t, err)
}

// wait waits until the row is in the state.
func (h *harness) wait(t testing.TB, eventID string, state deletion.State) row {
	t.Helper()
	var r row
	require.Eventually(t, func() bool { r = h.row(t, eventID); return r.State == state },
		20*time.Second, 10*time.Millisecond, "never %s", state)
	return r
}

// waitTried waits until an attempt was decided.
func (h *harness) waitTried(t testing.TB, eventID string) row {
	t.Helper()
	var r row
	require.Eventually(t, func() bool { r = h.row(t, eventID); return !r.DecidedAt.IsZero() },
		20*time.Second, 10*time.Millisecond, "never tried")
	return r
}

// work works the deletion's job once and returns for how long it snoozes, or a
// negative time when it is complete.
func (h *harness) work(t testing.TB, eventID string) time.Duration {
	t.Helper()
	r := h.row(t, eventID)
	return h.workJob(t, r)
}

// workJob works the job that the row had when it was read.
func (h *harness) workJob(t testing.TB, r row) time.Duration {
	t.Helper()
	return snoozed(t, h.Delete(t.Context(), r.jobID, r.ID, r.Generation))
}

const complete = time.Duration(-1)

func snoozed(t testing.TB, err error) time.Duration {
	t.Helper()
	if err == nil {
		return complete
	}
	snooze := (*river.JobSnoozeError)(nil)
	if !errors.As(err, &snooze) {
		t.Errorf("a job that fails: %v", err)
		return complete
	}
	return snooze.Duration
}

// jobState is the state of a job, "" when it is gone.
func (h *harness) jobState(t testing.TB, id int64) (state string) {
	t.Helper()
	err := h.db.Main.QueryRowContext(t.Context(), "SELECT state FROM river_job WHERE id = $1", id).Scan(&state)
	if !errors.Is(err, sql.ErrNoRows) {
		require.NoError(t, err)
	}
	return state
}

// line waits for a log line with the message.
func (h *harness) line(t testing.TB, message string) map[string]any {
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

// counted is a counter's value over all series that have the label.
func (h *harness) counted(t testing.TB, name, label string) int {
	t.Helper()
	families, err := h.registry.Gather()
	require.NoError(t, err)
	total := 0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					total += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return total
}

func newDeletion(eventID, externalID string) deletion.Deletion {
	return deletion.Deletion{
		Provider: "clerk", EventID: eventID, UserID: externalID, ExternalID: externalID,
		OccurredAt: time.Now(), ReceivedAt: time.Now(),
	}
}

func unusable(eventID string) deletion.Deletion {
	return deletion.Deletion{Provider: "clerk", EventID: eventID, UnusableID: `"../x"`, OccurredAt: time.Now(), ReceivedAt: time.Now()}
}
