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

// Filter chooses deletions. Its zero value chooses all, the newest first.
type Filter struct {
	State deletion.State
	// Reason is why they are held.
	Reason   deletion.HoldReason
	Outcome  deletion.Outcome
	Provider string

	ExternalID, UserID, EventID string
	// CustomerID is Polar's.
	CustomerID string
	// AnyID is one of those four.
	AnyID string

	// Since leaves out those that were accepted before, Until those that were not.
	Since, Until time.Time

	// Oldest lists the oldest first.
	Oldest bool
	// Decisions also reads what operators did about them.
	Decisions bool
	// After is the id of the last one that was seen: those that follow are listed.
	After int64
	// Limit is how many at most, 0 for all.
	Limit int
}

// Find returns one deletion, or a RefusedError when there is none.
func (o *Operator) Find(ctx context.Context, id int64) (queue.Record, error) {
	found, err := o.Records(ctx, []int64{id})
	if err != nil {
		return queue.Record{}, err
	}
	if len(found) == 0 {
		return queue.Record{}, unknown(id)
	}
	err = o.addDecisions(ctx, found)
	return found[0], err
}

// addDecisions reads what operators did about the deletions.
func (o *Operator) addDecisions(ctx context.Context, records []queue.Record) error {
	ids := make([]int64, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	approvals, failed := o.options.Store.Approvals(ctx, o.options.Reader, ids...)
	actions, err := o.options.Store.Actions(ctx, o.options.Reader, ids...)
	for i := range records {
		records[i].Approved, records[i].Actions = approvals[ids[i]], actions[ids[i]]
	}
	return errors.Join(failed, err)
}

// Records returns those of the deletions that are there, in the order of their ids.
func (o *Operator) Records(ctx context.Context, ids []int64) ([]queue.Record, error) {
	return o.options.Store.Records(ctx, o.options.Reader, ids, o.options.Now())
}

// List yields the chosen deletions, until an error.
func (o *Operator) List(ctx context.Context, f Filter) iter.Seq2[queue.Record, error] {
	if f.Reason != "" {
		f.State = deletion.StateHeld
	}
	start, statement := f.After, o.listing(f)
	if start == 0 && !f.Oldest {
		start = math.MaxInt64
	}
	read := rowsAtOnce
	if f.Limit > 0 {
		read = min(read, f.Limit)
	}
	chosen := o.pages(ctx, f.Decisions, start, func(last int64) ([]int64, error) {
		return queue.IDs(ctx, o.options.Reader, statement, last, string(f.State), string(f.Reason), string(f.Outcome), f.Provider,
			f.ExternalID, f.UserID, f.EventID, f.CustomerID, f.AnyID, queue.Micros(f.Since), queue.Micros(f.Until), read)
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

// listing is the statement that finds what the filter chooses by the best index.
func (o *Operator) listing(f Filter) string {
	newest, oldest := o.sql.List, o.sql.ListOldest
	switch {
	case f.ExternalID != "":
		newest, oldest = o.sql.ListExternalID, o.sql.ListExternalIDOldest
	case slices.Contains(deletion.PendingStates(), f.State):
		newest, oldest = o.sql.ListPending, o.sql.ListPendingOldest
	}
	if f.Oldest {
		return oldest
	}
	return newest
}

// Finished yields what was done or cancelled since then and before until, when
// that is not zero, of everybody or with one external id, in the order of acceptance,
// with what operators did about it, until an error.
//
// What finished a moment ago may be stored a moment later: see Settled.
func (o *Operator) Finished(ctx context.Context, since, until time.Time, externalID string) iter.Seq2[queue.Record, error] {
	return o.pages(ctx, true, 0, func(last int64) ([]int64, error) {
		if externalID != "" {
			return queue.IDs(ctx, o.options.Reader, o.sql.FinishedOfExternalID, queue.Micros(since), queue.Micros(until), last, rowsAtOnce, externalID)
		}
		return queue.IDs(ctx, o.options.Reader, o.sql.Finished, queue.Micros(since), queue.Micros(until), last, rowsAtOnce)
	})
}

// Settled is how long after a deletion finished it is surely stored as finished:
// the time is a server's clock, and the row is written afterwards, again and
// again while the database is busy.
const Settled = 10 * time.Minute

// pages yields the rows whose ids next returns, page by page: those after the last
// one, or at first after start. With decisions it also reads what operators did.
func (o *Operator) pages(ctx context.Context, decisions bool, start int64, next func(last int64) ([]int64, error)) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		for last := start; ; {
			ids, err := next(last)
			if err != nil {
				yield(queue.Record{}, fmt.Errorf("list deletions: %w", err))
				return
			}
			found, err := o.Records(ctx, ids)
			if err == nil && decisions {
				err = o.addDecisions(ctx, found)
			}
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
