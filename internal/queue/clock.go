package queue

import (
	"context"
	"fmt"
	"time"

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

// moveToPresent moves waiting deletions that were last touched in the future, a few
// at a time, because others wait meanwhile. The reader looks first, so that writers
// are not disturbed.
func (q *Queue) moveToPresent(ctx context.Context) (moved int64, err error) {
	var some bool
	if err := q.options.Reader.QueryRowContext(ctx, q.store.sql.SomeInFuture).Scan(&some); err != nil {
		return 0, fmt.Errorf("look for deletions in the future: %w", err)
	}
	if !some {
		return 0, nil
	}
	for {
		result, err := q.options.DB.ExecContext(ctx, q.store.sql.MoveToPresent, movedAtOnce)
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
