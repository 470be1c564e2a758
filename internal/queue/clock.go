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

// followClock looks for them.
func (q *Queue) followClock(ctx context.Context) (again time.Duration, err error) {
	begin := q.options.Now()
	moved, err := q.moveToPresent(ctx)
	if moved > 0 {
		q.options.Logger.Warn("the clock stepped back: waiting deletions moved with it", zap.Int64("deletions", moved))
	}
	return max(clockEvery, clockShare*q.options.Now().Sub(begin)), err
}

// moveToPresent moves waiting deletions that were last touched in the future, a few
// at a time, because others wait meanwhile.
func (q *Queue) moveToPresent(ctx context.Context) (moved int64, err error) {
	some, err := q.some(ctx, q.store.sql.SomeInFuture)
	for more := some; more && err == nil; {
		var n int64
		n, err = q.change(ctx, q.store.sql.MoveToPresent, movedAtOnce)
		moved += n
		if more = n == movedAtOnce; more {
			q.ingest.yield(ctx)
		}
	}
	if err != nil {
		return moved, fmt.Errorf("move deletions to the present: %w", err)
	}
	return moved, nil
}
