package ops

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// rowsAtOnce is how many deletions are in memory at a time. Each look is short,
// so that SQLite's write-ahead log can be checkpointed in between.
const rowsAtOnce = 500

// Filter chooses deletions. Its zero value chooses all.
type Filter struct {
	State deletion.State
	// Since leaves out those that were accepted before.
	Since      time.Time
	ExternalID string
	UserID     string
	CustomerID string
	Provider   string
	// Reason is why they are held.
	Reason deletion.HoldReason
	// Limit is how many at most, 0 for all.
	Limit int
}

// Find returns one deletion, or a RefusedError when there is none.
func (o *Operator) Find(ctx context.Context, id int64) (queue.Record, error) {
	found, err := o.options.Store.Records(ctx, o.options.Reader, []int64{id}, o.options.Now())
	if err != nil {
		return queue.Record{}, err
	}
	if len(found) == 0 {
		return queue.Record{}, unknown(id)
	}
	r := found[0]
	var approvals, actions error
	r.Approved, approvals = o.options.Store.Approvals(ctx, o.options.Reader, id)
	r.Actions, actions = o.options.Store.Actions(ctx, o.options.Reader, id)
	return r, errors.Join(approvals, actions)
}

// List yields the chosen deletions, the newest first, until an error.
func (o *Operator) List(ctx context.Context, f Filter) iter.Seq2[queue.Record, error] {
	statement := o.sql.List
	if f.Reason != "" {
		f.State = deletion.StateHeld
	}
	switch {
	case f.ExternalID != "":
		statement = o.sql.ListExternalID
	case f.State == deletion.StateWaiting, f.State == deletion.StateHeld, f.State == deletion.StateReappeared:
		statement = o.sql.ListPending
	}
	chosen := o.pages(ctx, math.MaxInt64, func(last int64) ([]int64, error) {
		return queue.IDs(ctx, o.options.Reader, statement, last, string(f.State), string(f.Reason), f.ExternalID, f.UserID, f.CustomerID, f.Provider,
			queue.Micros(f.Since), rowsAtOnce)
	})
	return func(yield func(queue.Record, error) bool) {
		count := 0
		for r, err := range chosen {
			if !yield(r, err) || err != nil {
				return
			}
			if count++; count == f.Limit {
				return
			}
		}
	}
}

// Finished yields what was done or cancelled since then and before until, when
// that is not zero, in the order of acceptance, until an error.
//
// What finished a moment ago may be stored a moment later: see Settled.
func (o *Operator) Finished(ctx context.Context, since, until time.Time) iter.Seq2[queue.Record, error] {
	return o.pages(ctx, 0, func(last int64) ([]int64, error) {
		return queue.IDs(ctx, o.options.Reader, o.sql.Finished, queue.Micros(since), queue.Micros(until), last, rowsAtOnce)
	})
}

// Settled is how long after a deletion finished it is surely stored as finished:
// the time is a server's clock, and the row is written afterwards, again and
// again while the database is busy.
const Settled = 10 * time.Minute

// pages yields the rows whose ids next returns, page by page: those after the last
// one, or at first after start.
func (o *Operator) pages(ctx context.Context, start int64, next func(last int64) ([]int64, error)) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		for last := start; ; {
			ids, err := next(last)
			if err != nil {
				yield(queue.Record{}, fmt.Errorf("list deletions: %w", err))
				return
			}
			found, err := o.options.Store.Records(ctx, o.options.Reader, ids, o.options.Now())
			if err != nil {
				yield(queue.Record{}, err)
				return
			}
			if len(ids) > 1 && ids[0] > ids[1] {
				slices.Reverse(found)
			}
			for _, r := range found {
				if !yield(r, nil) {
					return
				}
			}
			if len(ids) < rowsAtOnce {
				return
			}
			last = ids[len(ids)-1]
		}
	}
}
