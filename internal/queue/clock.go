package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"
)

const (
	// clockEvery is how often deletions are looked for that a clock stepping
	// back has left in the future.
	clockEvery = 15 * time.Second
	// clockShare is how many times as long as a look took nobody looks again: it
	// reads all that wait.
	clockShare = 100
	// movedAtOnce bounds what one transaction moves.
	movedAtOnce = 1000
)

// followClock looks for them until ctx ends.
func (q *Queue) followClock(ctx context.Context) {
	for {
		begin := q.options.Now()
		moved, err := q.moveToPresent(ctx)
		if moved > 0 {
			q.options.Logger.Warn("the clock stepped back: waiting deletions moved with it", zap.Int64("deletions", moved))
		}
		if err != nil && ctx.Err() == nil {
			q.options.Logger.Error("looking for deletions that a clock left in the future failed", zap.Error(err))
		}
		again := time.NewTimer(max(clockEvery, clockShare*q.options.Now().Sub(begin)))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
}

// clockStatements tell the dialects apart: the time now, the time from which
// something is surely in the future, and when a deletion is due that is moved
// by as much as its last attempt, or its acceptance, lies in the future. So
// what was to wait for a minute still waits for a minute, and not for an hour.
type clockStatements struct{ now, future, due, earlier string }

func newClockStatements(driver string) clockStatements {
	if driver == riverdriver.DatabaseNameSQLite {
		return clockStatements{
			now: "datetime('now', 'subsec')", future: "datetime('now', 'subsec', '+1 minute')", earlier: "min",
			due: "datetime(julianday(scheduled_at) - julianday(coalesce(attempted_at, created_at)) + julianday('now', 'subsec'), 'subsec')",
		}
	}
	return clockStatements{
		now: "now()", future: "now() + interval '1 minute'", earlier: "least",
		due: "scheduled_at - coalesce(attempted_at, created_at) + now()",
	}
}

// moveToPresent moves waiting deletions that were last touched in the future, a few
// at a time, because others wait meanwhile. The reader looks first, so that writers
// are not disturbed.
func (q *Queue) moveToPresent(ctx context.Context) (moved int64, err error) {
	s := newClockStatements(q.options.Driver.DatabaseName())
	misplaced := ` FROM river_job WHERE kind IN ('` + kindDelete + `', '` + kindDryRun + `', '` + kindVerify + `')
		AND state IN ('available', 'retryable', 'scheduled')
		AND coalesce(attempted_at, created_at) > ` + s.future
	var some bool
	if err := q.options.Reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1"+misplaced+")").Scan(&some); err != nil {
		return 0, fmt.Errorf("look for deletions in the future: %w", err)
	}
	if !some {
		return 0, nil
	}
	//nolint:gosec // all parts are constants of ours
	move := `UPDATE river_job SET scheduled_at = ` + s.due + `,
		attempted_at = CASE WHEN attempted_at IS NULL THEN NULL ELSE ` + s.now + ` END,
		created_at = ` + s.earlier + `(created_at, ` + s.now + `)
		WHERE id IN (SELECT id` + misplaced + ` LIMIT $1)`
	for {
		result, err := q.options.DB.ExecContext(ctx, move, movedAtOnce)
		if err != nil {
			return moved, fmt.Errorf("move deletions to the present: %w", err)
		}
		some, err := result.RowsAffected()
		if err != nil {
			return moved, fmt.Errorf("count deletions moved to the present: %w", err)
		}
		if moved += some; some < movedAtOnce {
			return moved, nil
		}
		q.ingest.yield(ctx)
	}
}
