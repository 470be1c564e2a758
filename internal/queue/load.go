package queue

import (
	"context"
	"errors"
	"fmt"
)

var errPaused = errors.New("an operator has paused")

// load is a worker that waits for its row.
type load struct {
	id     int64
	loaded chan loaded // buffered: whoever gave up does not read it
}

type loaded struct {
	record *Record // nil when there is none
	err    error
}

// load reads a row. Workers begin by the dozen: those that come at the same time
// share one statement.
func (q *Queue) load(ctx context.Context, id int64) (*Record, error) {
	l := load{id, make(chan loaded, 1)}
	select {
	case q.loads <- l:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case got := <-l.loaded:
		return got.record, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// runLoads reads for whoever has come while the last rows were read, until ctx ends.
func (q *Queue) runLoads(ctx context.Context) {
	for {
		var ids []int64
		var waiting []load
		select {
		case first := <-q.loads:
			ids, waiting = append(ids, first.id), append(waiting, first)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(ids) < q.options.Workers; {
			select {
			case next := <-q.loads:
				ids, waiting = append(ids, next.id), append(waiting, next)
			default:
				more = false
			}
		}
		found, err := q.store.Records(ctx, q.options.Reader, ids, q.options.Now())
		if err == nil {
			err = q.requireUnpaused(ctx)
		}
		records := make(map[int64]*Record, len(found))
		for i := range found {
			records[found[i].ID] = &found[i]
		}
		for _, l := range waiting {
			l.loaded <- loaded{records[l.id], err}
		}
	}
}

// requireUnpaused is asked before each attempt: River notices an operator's pause only a
// moment later, seconds where nobody is notified.
func (q *Queue) requireUnpaused(ctx context.Context) error {
	paused, err := q.some(ctx, q.store.sql.IsPaused, queueName(q.options.Binding.ID(), q.options.DryRun))
	if err != nil {
		return fmt.Errorf("read whether deletions are paused: %w", err)
	}
	if paused {
		return errPaused
	}
	return nil
}
