// Package queue keeps every accepted deletion until it is done, and is the
// only user of River. One deletion is one job from acceptance to proof.
//
// It must not know how a deletion is carried out (deletion) or what Polar is
// (polar): it hands attempts to an Applier and turns faults into verdicts.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/polar-bridge/polar-bridge/internal/event"
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
	fetchCooldown = 10 * time.Millisecond
	// keepForever is River's word for never deleting.
	keepForever = -1
)

// Applier carries out one attempt. The result's PolarStatus and AnswerLost
// count even when there is an error, whose fault.Kind decides what happens.
type Applier interface {
	Apply(ctx context.Context, a event.Attempt) (event.Result, error)
}

// Options for New.
type Options struct {
	// Driver is River's driver over DB; DB writes, Reader counts.
	Driver     riverdriver.Driver[*sql.Tx]
	DB, Reader *sql.DB
	// InPlace returns why what was committed is not where the next start finds it.
	// It is asked before a deletion counts as stored; nil is always.
	InPlace func() error
	Applier Applier
	// Verifier looks after deletions; nil leaves verifications alone.
	Verifier Verifier
	Metrics  *metrics.Metrics
	Logger   *zap.Logger
	// LogID turns an external id into what the log may say of it.
	LogID func(id string) string
	Now   func() time.Time
	// Workers is how many attempts run at once in this process.
	Workers int
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
	// DryRun stores new deletions as dry runs and leaves the real ones waiting.
	DryRun bool
}

// Queue is the durable queue of deletions.
type Queue struct {
	options Options
	client  *river.Client[*sql.Tx]

	requests  chan *request
	crowd     crowd
	committer sync.WaitGroup
	stop      context.CancelFunc
	stopping  <-chan struct{}
}

// New prepares the queue on a migrated database. Nothing runs before Start,
// but Accept needs it.
func New(o Options) (*Queue, error) {
	if o.BatchSize == 0 {
		o.BatchSize = defaultBatchSize
	}
	q := &Queue{options: o, requests: make(chan *request)}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker[deletionArgs, *deletionArgs]{queue: q})
	river.AddWorker(workers, &worker[dryRunArgs, *dryRunArgs]{queue: q, dryRun: true})

	if o.Verifier == nil {
		q.options.VerifyAfter = 0
	} else {
		river.AddWorker(workers, &worker[verifyArgs, *verifyArgs]{queue: q, verify: true})
	}

	driver := o.Driver
	if driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		driver = unscheduled{driver}
	}
	queues := map[string]river.QueueConfig{queueDryRun: {MaxWorkers: o.Workers}}
	if !o.DryRun {
		queues[queueDeletions] = river.QueueConfig{MaxWorkers: o.Workers}
	}
	client, err := river.NewClient(driver, &river.Config{
		Queues:                      queues,
		Workers:                     workers,
		Logger:                      riverLogger(o.Logger),
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		SoftStopTimeout:             softStop,
		FetchCooldown:               fetchCooldown,
		CompletedJobRetentionPeriod: o.Retention,
		CancelledJobRetentionPeriod: o.Retention,
		DiscardedJobRetentionPeriod: keepForever,
		RetryPolicy:                 rescuePolicy{now: o.Now},
		ReindexerIndexNames:         reindexed(o.Driver),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	q.client = client
	return q, nil
}

// Start begins to accept, to work and to count. It ends with Stop only, not
// with ctx.
func (q *Queue) Start(ctx context.Context) error {
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx))
	q.stopping = ctx.Done()
	q.committer.Go(func() { q.commitLoop(ctx) })
	q.committer.Go(func() { q.followClock(ctx) })
	q.committer.Go(func() { q.followOperators(ctx) })
	if q.options.Driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		q.committer.Go(func() { q.followDue(ctx) })
	}
	err := q.keepPauses(ctx) // before River cleans up
	if err == nil {
		err = q.client.Start(ctx)
	}
	if err != nil {
		q.stop()
		q.committer.Wait()
		return fmt.Errorf("start queue: %w", err)
	}
	return nil
}

// Stop takes no new deletions, lets running attempts finish for a few seconds,
// then interrupts them; an interrupted one costs no attempt and is run again
// by whoever comes next. ctx bounds the whole.
func (q *Queue) Stop(ctx context.Context) error {
	q.stop()
	q.committer.Wait()
	select {
	case <-q.client.Stopped():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop queue: %w", ctx.Err())
	}
}

// ResetRunning takes back what a killed process left running. Only the one
// process that holds the SQLite file's lock may call it, before Start: then
// nothing can be running. What it takes back may have reached Polar.
func (q *Queue) ResetRunning(ctx context.Context) (int64, error) {
	// River notes an operator's wish to cancel a running job in its metadata.
	const cancelled = "json_extract(metadata, '$.cancel_attempted_at') IS NOT NULL"
	result, err := q.options.DB.ExecContext(ctx, `UPDATE river_job SET
		state = CASE WHEN `+cancelled+` THEN 'cancelled' ELSE 'available' END,
		finalized_at = CASE WHEN `+cancelled+` THEN datetime('now', 'subsec') END,
		attempt = max(attempt - 1, 0), scheduled_at = datetime('now', 'subsec'),
		metadata = jsonb_set(metadata, '$.`+keyAnswerLost+`', jsonb('true'))
		WHERE state = 'running'`)
	if err != nil {
		return 0, fmt.Errorf("take back interrupted deletions: %w", err)
	}
	// The killed process may have been River's leader; nobody else can be.
	if _, err := q.options.DB.ExecContext(ctx, "DELETE FROM river_leader"); err != nil {
		return 0, fmt.Errorf("depose the killed leader: %w", err)
	}
	count, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count interrupted deletions: %w", err)
	}
	return count, nil
}

// riverLogger lets River's warnings and errors into our log. What it says of
// single jobs we say ourselves.
func riverLogger(logger *zap.Logger) *slog.Logger {
	core := logger.Named("river").WithOptions(zap.IncreaseLevel(zap.WarnLevel)).Core()
	return slog.New(zapslog.NewHandler(core, zapslog.WithName("river")))
}

// reindexed names the indexes that River rebuilds at midnight: on SQLite none,
// because that would stop all writers.
func reindexed(driver riverdriver.Driver[*sql.Tx]) []string {
	if driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		return []string{}
	}
	return nil
}

var errStopping = errors.New("the program is stopping")
