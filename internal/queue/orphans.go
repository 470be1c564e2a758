package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/metrics"
)

const (
	// orphansEvery is how often some of the deletions are looked at.
	orphansEvery = 15 * time.Second
	// orphansAtOnce is how many are looked at then.
	orphansAtOnce = 5000
	// orphanAge is how long nothing has happened to an orphan.
	orphanAge = 2 * time.Minute
	// orphansLease is for how long one of several servers looks alone. Nothing hangs
	// on it but their work: each orphan is looked at again under its lock.
	orphansLease     = 2 * time.Minute
	orphansLeaseName = "deletions without a job"
)

// followOrphans gives deletions without a live job a new one: a row alone says what is
// true, and a job may get lost. It works through the table in chunks, beside the handle
// that writes.
func (q *Queue) followOrphans() func(ctx context.Context) (again time.Duration, err error) {
	var sweep orphanSweep
	return func(ctx context.Context) (time.Duration, error) { return orphansEvery, sweep.step(ctx, q) }
}

// orphanSweep is how far the look is, for waiting deletions and for verifications. It
// goes on without the lease too, so that a server which gets it begins where the last
// one ended.
type orphanSweep struct{ waiting, unverified int64 }

func (s *orphanSweep) step(ctx context.Context, q *Queue) error {
	sql := &q.store.sql
	return errors.Join(
		q.adoptOrphans(ctx, sql.EndOfWaitingChunk, sql.WaitingOrphans, &s.waiting),
		q.adoptOrphans(ctx, sql.EndOfUnverifiedChunk, sql.UnverifiedOrphans, &s.unverified),
	)
}

// adoptOrphans looks at the next deletions after the cursor, and begins at the first
// again after the last.
func (q *Queue) adoptOrphans(ctx context.Context, endOfChunk, orphans string, cursor *int64) error {
	var last sql.NullInt64
	if err := q.options.Reader.QueryRowContext(ctx, endOfChunk, *cursor, orphansAtOnce).Scan(&last); err != nil {
		return fmt.Errorf("look for orphans: %w", err)
	}
	since := *cursor
	*cursor = last.Int64 // 0 at the end
	if !last.Valid {
		return nil
	}
	if leased, err := q.leaseOrphans(ctx); err != nil || !leased {
		return err
	}
	found, err := IDs(ctx, q.options.Reader, orphans, since, last.Int64, Micros(q.options.Now().Add(-orphanAge)))
	if err != nil {
		return fmt.Errorf("look for orphans: %w", err)
	}
	for _, id := range found {
		if err := q.adopt(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// leaseOrphans reports whether this server is the one that looks for orphans.
func (q *Queue) leaseOrphans(ctx context.Context) (leased bool, err error) {
	now := q.options.Now()
	claimed, err := q.change(ctx, q.store.sql.ClaimLease, orphansLeaseName, q.store.Client.ID(),
		Micros(now), Micros(now.Add(orphansLease)), Micros(now.Add(2*orphansLease)))
	if err != nil {
		return false, fmt.Errorf("lease the look for orphans: %w", err)
	}
	return claimed > 0, nil
}

// adopt gives an orphan a new job, if it still is one under its lock. The lock is a
// statement of its own: only the next one sees what another server has done
// meanwhile.
func (q *Queue) adopt(ctx context.Context, id int64) error {
	now := q.options.Now()
	var adopted *Record
	err := Transact(ctx, q.options.DB, q.store, func(ctx context.Context, tx *sql.Tx) error {
		adopted = nil
		locked, err := q.store.LockRecords(ctx, tx, []int64{id}, now)
		if err != nil || len(locked) == 0 {
			return err
		}
		var orphan bool
		if err := tx.QueryRowContext(ctx, q.store.sql.IsOrphan, id, Micros(now.Add(-orphanAge))).Scan(&orphan); err != nil {
			return fmt.Errorf("look at orphan %d: %w", id, err)
		}
		if !orphan {
			return nil
		}
		adopted = &locked[0]
		at, verify := adopted.NextTryAt, adopted.State != deletion.StateWaiting
		if verify {
			at = adopted.VerifyAt
		}
		return q.store.SendAgain(ctx, tx, *adopted, at, verify)
	})
	if err != nil || adopted == nil {
		return err
	}
	q.options.Metrics.OrphanFound(metrics.OrphanRow)
	q.options.Logger.Error("a deletion had no job: it got a new one",
		append(q.options.fields(adopted.Deletion()), zap.Int64("deletion_id", id), zap.String("state", string(adopted.State)))...)
	return nil
}

// SendAgain gives the row a new job and a new generation, so that an older job
// does nothing. The caller has locked it.
func (s *Store) SendAgain(ctx context.Context, tx *sql.Tx, r Record, at time.Time, verify bool) error {
	ids, err := s.Enqueue(ctx, tx, []Job{{DeletionID: r.ID, Generation: r.Generation + 1, At: at, DryRun: r.DryRun, Verify: verify, Binding: r.Binding}})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.sql.SendAgain, r.ID, r.Generation+1, ids[0], Micros(at))
	if err != nil {
		return fmt.Errorf("send deletion %d on its way again: %w", r.ID, err)
	}
	return nil
}
