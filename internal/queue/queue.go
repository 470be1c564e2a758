// Package queue keeps every accepted deletion until it is done, and is the
// only user of River. One deletion is one row from acceptance to proof; River's
// job only carries it out.
//
// It must not know how a deletion is carried out: it hands attempts to an Applier
// and writes what that decides.
package queue

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
)

const (
	// jobTimeout bounds one attempt: waiting for a slot and Polar's calls.
	jobTimeout = 19500 * time.Millisecond
	// rescueAfter is when a job of a dead replica is taken back; longer than
	// jobTimeout, so a living one is never run twice.
	rescueAfter = 20 * time.Second
	// softStop is how long running attempts may finish when the program stops.
	softStop = 6 * time.Second
	// fetchCooldown bounds how often one replica asks for work.
	fetchCooldown = 7 * time.Millisecond
	// jobRetention is how long River keeps finished jobs: nobody reads them.
	jobRetention = 5 * time.Minute
)

// Applier carries out one attempt.
type Applier interface {
	Apply(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision)
}

// Verifier looks whether a deleted customer stayed away.
type Verifier interface {
	Verify(ctx context.Context, a deletion.Attempt, tries int) (deletion.Verification, deletion.Observed, deletion.Decision)
}

// Binding ties the database to one Polar organization.
type Binding interface {
	// ID is the binding of this process.
	ID() int64
	// Open reports whether requests may be sent.
	Open() bool
}

// Limiter is asked whether a permit still holds right before a request is sent.
type Limiter interface {
	Lock(ctx context.Context, tx *sql.Tx) (*ratelimit.Locked, error)
	// Clock is the time by which requests are sent.
	Clock(ctx context.Context, tx *sql.Tx) (time.Time, error)
}

// Options for New.
type Options struct {
	// Driver is River's driver over DB; DB writes, Reader counts. SQL says which
	// kind of database it is, and in which schema the tables are.
	Driver     riverdriver.Driver[*sql.Tx]
	SQL        namedsql.Target
	DB, Reader *sql.DB
	// InPlace returns why what was committed is not where the next start finds it.
	// It is asked before a deletion counts as stored.
	InPlace func() error
	// Key is the key of digests.
	Key []byte
	// Binding says whether this process may send, and what its deletions belong to.
	Binding  Binding
	Applier  Applier
	Verifier Verifier
	Limiter  Limiter
	Metrics  *metrics.Metrics
	Logger   *zap.Logger
	// Tracer makes a span of every attempt.
	Tracer *tracing.Tracer
	// LogID turns an external id into what the log may say of it.
	LogID func(id string) string
	Now   func() time.Time
	// Workers is how many attempts run at once in this process.
	Workers int
	// MaxDeletionsPerHour is how many deletions of customers may be sent within an
	// hour; 0 is no limit.
	MaxDeletionsPerHour int
	// BatchSize is after how many deletions a transaction is closed; 0 is the
	// default, 1 gives each request its own.
	BatchSize int
	// Retention is how long done and cancelled deletions are kept.
	Retention time.Duration
	// GracePeriod is how long the Applier lets a deletion wait at first.
	GracePeriod time.Duration
	// VerifyAfter is how long after a deletion Polar is asked whether the
	// customer stayed away; 0 is never.
	VerifyAfter time.Duration
	// DryRun stores new deletions as dry runs and works only those; otherwise dry
	// runs are left waiting.
	DryRun bool
}

// Queue is the durable queue of deletions.
type Queue struct {
	options Options
	store   *Store
	commits *committer
	loads   chan load
	ingest  ingestPriority

	stopWork, stopCommits context.CancelFunc
	committing            sync.WaitGroup
}

// New prepares the queue on a migrated database. Nothing runs before Start,
// but Accept needs it.
func New(o Options) (*Queue, error) {
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatchSize
	}
	q := &Queue{options: o}
	client, err := q.newClient()
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	if q.store, err = newStore(client, o.SQL, o.Key, o.Binding.ID); err != nil {
		return nil, err
	}
	q.store.GracePeriod = o.GracePeriod
	q.commits = &committer{
		db: o.DB, begin: q.store.Transaction(), size: o.BatchSize, writes: make(chan *write), ended: make(chan struct{}),
		ingest: &q.ingest, apply: q.apply, inPlace: o.InPlace,
	}
	q.loads = make(chan load)
	return q, nil
}

// startCommits starts what reads and writes for workers and requests, until ctx ends.
func (q *Queue) startCommits(ctx context.Context) {
	q.committing.Go(func() { q.commits.run(ctx) })
	q.committing.Go(func() { q.runLoads(ctx) })
}

// newClient makes River's client. All kinds are registered whatever the settings,
// because River discards jobs of a kind that it does not know.
func (q *Queue) newClient() (*river.Client[*sql.Tx], error) {
	o := &q.options
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker[deleteArgs]{queue: q, work: (*run).delete})
	river.AddWorker(workers, &worker[dryRunArgs]{queue: q, work: (*run).delete})
	river.AddWorker(workers, &worker[verifyArgs]{queue: q, work: (*run).verify})
	driver := o.Driver
	if !o.SQL.Postgres {
		driver = sqliteDriver{driver, q}
	}
	return river.NewClient(driver, &river.Config{
		Schema:                      riverSchema(o.SQL),
		Queues:                      map[string]river.QueueConfig{queueName(o.Binding.ID(), o.DryRun): {MaxWorkers: o.Workers}},
		Workers:                     workers,
		Hooks:                       reservedIDs(),
		Logger:                      riverLogger(o.Logger),
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		SoftStopTimeout:             softStop,
		FetchCooldown:               fetchCooldown,
		CompletedJobRetentionPeriod: jobRetention,
		CancelledJobRetentionPeriod: jobRetention,
		DiscardedJobRetentionPeriod: jobRetention,
		RetryPolicy:                 rescuePolicy{now: o.Now},
		ReindexerIndexNames:         reindexed(o.SQL),
	})
}

// apply does within tx what a batch of writes asks for. Sends come last: from
// then on the limiter's row is locked.
func (q *Queue) apply(ctx context.Context, tx *sql.Tx, batch []*write) (settle func(), err error) {
	var deletions []deletion.Deletion
	var decisions []*decided
	var sends []*send
	for _, w := range batch {
		deletions = append(deletions, w.deletions...)
		if w.decision != nil {
			decisions = append(decisions, w.decision)
		}
		if w.send != nil {
			sends = append(sends, w.send)
		}
	}
	ledger, err := q.store.Insert(ctx, tx, deletions, q.options.DryRun, q.options.Now())
	if err != nil {
		return nil, err
	}
	if err := q.writeDecisions(ctx, tx, decisions); err != nil {
		return nil, err
	}
	if err := q.beginSends(ctx, tx, sends); err != nil {
		return nil, err
	}
	return func() {
		for _, w := range batch {
			w.receipt = q.receipt(w.deletions, ledger)
		}
	}, nil
}

// Loop is work beside the deletions, until its context ends.
type Loop struct {
	Name string
	Run  func(ctx context.Context)
}

// Loops lists what has to run as long as the queue works.
func (q *Queue) Loops() []Loop {
	loops := []Loop{
		{"clock steps", q.repeat(q.followClock, "looking for deletions that a clock left in the future failed")},
		{"operator actions", q.repeat(q.followOperators, "poll for operator actions failed")},
		{"deletions without a job", q.repeat(q.followOrphans(), "looking for deletions without a job failed")},
		{"retention", q.repeat(q.followRetention, "removing old deletions failed")},
	}
	if !q.options.SQL.Postgres {
		loops = append(loops, Loop{"due deletions", q.repeat(q.followDue, "making due deletions available failed")})
	}
	return loops
}

// repeat returns a loop that takes a step, logs why it failed, and waits as long as the
// step says.
func (q *Queue) repeat(step func(ctx context.Context) (again time.Duration, err error), failed string) func(ctx context.Context) {
	return func(ctx context.Context) {
		for ctx.Err() == nil {
			again, err := step(ctx)
			if err != nil && ctx.Err() == nil {
				q.options.Logger.Error(failed, zap.Error(err))
			}
			_ = Sleep(ctx, again) // until ctx ends
		}
	}
}

// some asks beside the handle that writes, so that writers are not disturbed for nothing.
func (q *Queue) some(ctx context.Context, statement string, args ...any) (some bool, err error) {
	err = q.options.Reader.QueryRowContext(ctx, statement, args...).Scan(&some)
	return some, err
}

// change carries a statement out and returns how many rows it changed.
func (q *Queue) change(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := q.options.DB.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Start begins to accept and to work. That ends with StopWork and StopCommits only,
// not with ctx.
func (q *Queue) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	committing, stopCommits := context.WithCancel(ctx)
	working, stopWork := context.WithCancel(ctx)
	q.stopCommits, q.stopWork = stopCommits, stopWork
	q.startCommits(committing)
	err := q.keepPauses(ctx) // before River cleans up
	if err == nil {
		err = q.store.Client.Start(working)
	}
	if err != nil {
		q.stopWork()
		q.StopCommits()
		return fmt.Errorf("start queue: %w", err)
	}
	return nil
}

// StopWork lets running attempts finish for a few seconds, then interrupts them: a
// request that was sent is waited for all the same, and an interrupted attempt is
// run again by whoever comes next. ctx bounds the whole.
func (q *Queue) StopWork(ctx context.Context) error {
	q.stopWork()
	select {
	case <-q.store.Client.Stopped():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop queue: %w", ctx.Err())
	}
}

// StopCommits ends what writes for requests and attempts, after StopWork.
func (q *Queue) StopCommits() {
	q.stopCommits()
	q.committing.Wait()
}

// ResetRunning takes back what a killed process left running. Only the one
// process that holds the SQLite file's lock may call it, before Start: then
// nothing can be running. What it takes back may have reached Polar.
func (q *Queue) ResetRunning(ctx context.Context) (int64, error) {
	if _, err := q.change(ctx, q.store.sql.ResetInFlight); err != nil {
		return 0, fmt.Errorf("take back interrupted requests: %w", err)
	}
	count, err := q.change(ctx, q.store.sql.ResetRunning)
	if err != nil {
		return 0, fmt.Errorf("take back interrupted deletions: %w", err)
	}
	// The killed process may have been River's leader; nobody else can be.
	if _, err := q.change(ctx, q.store.sql.DeposeLeader); err != nil {
		return 0, fmt.Errorf("depose the killed leader: %w", err)
	}
	return count, nil
}

// rescuePolicy says when River runs a job again that it takes back from a dead
// replica, or whose arguments cannot be read.
type rescuePolicy struct{ now func() time.Time }

// NextRetry implements river.ClientRetryPolicy. River distrusts the past.
func (p rescuePolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.now().Add(max(time.Second, Backoff(len(job.Errors))))
}

// riverLogger lets River's warnings and errors into our log. What it says of
// single jobs we say ourselves.
func riverLogger(logger *zap.Logger) *slog.Logger {
	core := logger.Named("river").WithOptions(zap.IncreaseLevel(zap.WarnLevel)).Core()
	return slog.New(zapslog.NewHandler(core, zapslog.WithName("river")))
}

// reindexed names the indexes that River rebuilds at midnight: on Postgres those that
// the migrations have left, on SQLite none, because that would stop all writers.
func reindexed(target namedsql.Target) []string {
	if !target.Postgres {
		return []string{}
	}
	return slices.DeleteFunc(river.ReindexerIndexNamesDefault(), func(name string) bool {
		return name == "river_job_args_index" || name == "river_job_metadata_index"
	})
}
