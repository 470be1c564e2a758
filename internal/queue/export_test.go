package queue

import (
	"context"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// What the tests of the ingest priority need.
const (
	BurstSize = burstSize
	BurstOver = burstOver
	MaxYield  = maxYield
)

// OrphanAge is how long nothing has happened to an orphan.
const OrphanAge = orphanAge

// GiveUpAfter is for how long a deletion may fail.
const GiveUpAfter = giveUpAfter

// OrphansLease is for how long one of several servers looks for orphans alone.
const OrphansLease = orphansLease

// OrphansAtOnce is how many deletions the sweep looks at in a step.
const OrphansAtOnce = orphansAtOnce

// RetentionAtOnce is how many old deletions one transaction removes.
const RetentionAtOnce = retentionAtOnce

// DueAtOnce is how many due jobs one transaction moves.
const DueAtOnce = dueAtOnce

// IngestPriority is the priority of webhooks over attempts.
type IngestPriority struct{ ingestPriority }

// BeginBurst begins a transaction that so many webhooks share.
func (p *IngestPriority) BeginBurst(webhooks int) (end func()) { return p.beginBurst(webhooks) }

// Yield lets webhooks go first.
func (p *IngestPriority) Yield(ctx context.Context) { p.yield(ctx) }

// BeginBurst begins such a transaction before a queue's own disk.
func (q *Queue) BeginBurst(webhooks int) (end func()) { return q.ingest.beginBurst(webhooks) }

// StartCommitter starts what writes, and nothing else: no River, no loops.
func (q *Queue) StartCommitter(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	q.startCommits(ctx)
	return func() {
		cancel()
		q.committing.Wait()
	}
}

// Delete works a job that carries a deletion out, as River does.
func (q *Queue) Delete(ctx context.Context, jobID, deletionID, generation int64) error {
	w := &worker[deleteArgs]{queue: q, work: (*run).delete}
	return w.Work(ctx, &river.Job[deleteArgs]{
		JobRow: &rivertype.JobRow{ID: jobID}, Args: deleteArgs{DeletionID: deletionID, Generation: generation},
	})
}

// Verify works a job that looks again some time after a deletion.
func (q *Queue) Verify(ctx context.Context, jobID, deletionID, generation int64) error {
	w := &worker[verifyArgs]{queue: q, work: (*run).verify}
	return w.Work(ctx, &river.Job[verifyArgs]{
		JobRow: &rivertype.JobRow{ID: jobID}, Args: verifyArgs{DeletionID: deletionID, Generation: generation},
	})
}

// OrphanSweep looks for deletions without a live job.
type OrphanSweep struct{ orphanSweep }

// Step looks at the next ones.
func (s *OrphanSweep) Step(ctx context.Context, q *Queue) error { return s.step(ctx, q) }

// MoveDue makes available on SQLite what is due.
func (q *Queue) MoveDue(ctx context.Context) (int64, error) { return q.moveDue(ctx) }

// RemoveOld removes what finished longer ago than the retention.
func (q *Queue) RemoveOld(ctx context.Context) (int, error) { return q.removeOld(ctx) }

// ReportCancelled counts and logs what operators have cancelled.
func (q *Queue) ReportCancelled(ctx context.Context) (int, error) { return q.reportCancelled(ctx) }

// Store is what the queue writes with.
func (q *Queue) Store() *Store { return q.store }

// Statements are the queue's for a database.
func Statements(t testing.TB, db *database.DB) any {
	t.Helper()
	var s statements
	require.NoError(t, db.SQL.Load(statementFiles, &s))
	return s
}
