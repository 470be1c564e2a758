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
)

// isOrphan holds for a deletion that no live job will carry out, or verify. $1 is
// the id after which to look, $2 the time since when nothing has happened to it.
const isOrphan = ` id > $1 AND received_at < $2 AND decided_at < $2 AND sent_at < $2 AND NOT EXISTS (SELECT 1 FROM river_job AS j
	WHERE j.id = job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))`

// followOrphans gives deletions without a live job a new one, until ctx ends:
// a row alone says what is true, and a job may get lost. It works through the
// table in chunks, beside the handle that writes.
func (q *Queue) followOrphans(ctx context.Context) {
	var sweep orphanSweep
	for {
		if err := sleep(ctx, orphansEvery); err != nil {
			return
		}
		if err := sweep.step(ctx, q); err != nil && ctx.Err() == nil {
			q.options.Logger.Error("looking for deletions without a job failed", zap.Error(err))
		}
	}
}

// orphanSweep is how far the look is, for waiting deletions and for verifications.
type orphanSweep struct{ waiting, unverified int64 }

func (s *orphanSweep) step(ctx context.Context, q *Queue) error {
	return errors.Join(
		s.chunk(ctx, q, "state = 'waiting' AND hold_reason = ''", &s.waiting),
		s.chunk(ctx, q, "verification = 'pending'", &s.unverified),
	)
}

// chunk looks at the next deletions of a condition, and begins at the first again
// after the last.
func (s *orphanSweep) chunk(ctx context.Context, q *Queue, condition string, cursor *int64) error {
	var last sql.NullInt64
	err := q.options.Reader.QueryRowContext(ctx, "SELECT max(id) FROM (SELECT id FROM polar_bridge_deletions WHERE "+condition+
		" AND id > $1 ORDER BY id LIMIT $2) AS next", *cursor, orphansAtOnce).Scan(&last)
	if err != nil {
		return fmt.Errorf("look for orphans: %w", err)
	}
	since := *cursor
	*cursor = last.Int64 // 0 at the end
	if !last.Valid {
		return nil
	}
	orphans, err := Records(ctx, q.options.Reader, q.options.Now(), "SELECT "+Columns+" FROM polar_bridge_deletions WHERE "+condition+" AND id <= $3 AND"+isOrphan,
		since, Micros(q.options.Now().Add(-orphanAge)), last.Int64)
	if err != nil {
		return err
	}
	for _, r := range orphans {
		if err := q.adopt(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives an orphan a new job, if it still is one under its lock.
func (q *Queue) adopt(ctx context.Context, seen Record) error {
	now := q.options.Now()
	var adopted bool
	err := Transact(ctx, q.options.DB, q.store, func(ctx context.Context, tx *sql.Tx) error {
		// The lock is a statement of its own: only the next one sees what another
		// server has done meanwhile.
		//nolint:gosec // all parts are constants of ours
		if _, err := tx.ExecContext(ctx, "SELECT 1 FROM polar_bridge_deletions WHERE id = $1"+q.store.ForUpdate(), seen.ID); err != nil {
			return fmt.Errorf("lock deletion %d: %w", seen.ID, err)
		}
		again, err := Records(ctx, tx, now, "SELECT "+Columns+" FROM polar_bridge_deletions WHERE id = $3 AND (state = 'waiting' OR verification = 'pending') AND"+isOrphan,
			0, Micros(now.Add(-orphanAge)), seen.ID)
		if err != nil || len(again) == 0 {
			return err
		}
		adopted = true
		r := again[0]
		at, verify := r.NextTryAt, r.State != deletion.StateWaiting
		if verify {
			at = r.VerifyAt
		}
		return q.store.SendAgain(ctx, tx, r, at, verify)
	})
	if err != nil || !adopted {
		return err
	}
	q.options.Metrics.OrphanFound(metrics.OrphanRow)
	q.options.Logger.Error("a deletion had no job: it got a new one", append(q.options.fields(seen.Deletion()), zap.Int64("deletion_id", seen.ID), zap.String("state", string(seen.State)))...)
	return nil
}

// SendAgain gives the row a new job and a new generation, so that an older job
// does nothing. The caller has locked it.
func (s *Store) SendAgain(ctx context.Context, tx *sql.Tx, r Record, at time.Time, verify bool) error {
	ids, err := s.Enqueue(ctx, tx, []Job{{DeletionID: r.ID, Generation: r.Generation + 1, At: at, DryRun: r.DryRun, Verify: verify}})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET generation = $2, job_id = $3, next_try_at = $4 WHERE id = $1",
		r.ID, r.Generation+1, ids[0], Micros(at))
	if err != nil {
		return fmt.Errorf("send deletion %d on its way again: %w", r.ID, err)
	}
	return nil
}
