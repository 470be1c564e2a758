package queue

import (
	"context"
	"fmt"
	"time"
)

const (
	// dueEvery is how often what waits for its time is looked at.
	dueEvery = time.Second
	// dueAtOnce bounds what one transaction moves: on SQLite all others wait for it.
	dueAtOnce = 200
)

// followDue makes available on SQLite what is due, in place of River's scheduler:
// that moves 10,000 in one transaction, one by one, and webhooks wait for it. None of
// ours meets another with the same key, which is what River looks for: a key is unique
// in all states.
func (q *Queue) followDue(ctx context.Context) (again time.Duration, err error) {
	q.ingest.yield(ctx)
	begin := q.options.Now()
	moved, err := q.moveDue(ctx)
	if moved == dueAtOnce { // there may be more: the writer is ours half of the time
		return min(dueEvery, q.options.Now().Sub(begin)), err
	}
	return dueEvery, err
}

// moveDue makes some of them available.
func (q *Queue) moveDue(ctx context.Context) (moved int64, err error) {
	id := q.options.Binding.ID()
	deletions, dryRuns := queueName(id, false), queueName(id, true)
	some, err := q.some(ctx, q.store.sql.SomeDue, deletions, dryRuns)
	if err == nil && some {
		moved, err = q.change(ctx, q.store.sql.MoveDue, deletions, dryRuns, dueAtOnce)
	}
	if err != nil {
		return 0, fmt.Errorf("make deletions available: %w", err)
	}
	return moved, nil
}
