package ops

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
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

// conditions collect what a WHERE demands.
type conditions struct {
	parts  []string
	values []any
}

func (c *conditions) add(condition string, value any) {
	c.values = append(c.values, value)
	c.parts = append(c.parts, fmt.Sprintf(condition, len(c.values)))
}

// where is the text of all of them. States are named in it, because a partial
// index serves only a query that names them.
func (f Filter) where() conditions {
	c := conditions{parts: []string{"id > 0"}}
	state := f.State
	if f.Reason != "" {
		state = deletion.StateHeld
		c.add("hold_reason = $%d", string(f.Reason))
	}
	if state != "" {
		c.parts = append(c.parts, "state = '"+string(state)+"'")
	}
	if !f.Since.IsZero() {
		c.add("received_at >= $%d", queue.Micros(f.Since))
	}
	for column, value := range map[string]string{"external_id": f.ExternalID, "user_id": f.UserID, "customer_id": f.CustomerID, "provider": f.Provider} {
		if value != "" {
			c.add(column+" = $%d", value)
		}
	}
	return c
}

// Find returns one deletion, or a RefusedError when there is none.
func (o *Operator) Find(ctx context.Context, id int64) (queue.Record, error) {
	found, err := queue.Records(ctx, o.options.Reader, o.options.Now(), "SELECT "+queue.Columns+" FROM polar_bridge_deletions WHERE id = $1", id)
	if err != nil {
		return queue.Record{}, err
	}
	if len(found) == 0 {
		return queue.Record{}, unknown(id)
	}
	r := found[0]
	var approvals, actions error
	r.Approved, approvals = queue.Approvals(ctx, o.options.Reader, id)
	r.Actions, actions = queue.Actions(ctx, o.options.Reader, id)
	return r, errors.Join(approvals, actions)
}

// List yields the chosen deletions, the newest first, until an error.
func (o *Operator) List(ctx context.Context, f Filter) iter.Seq2[queue.Record, error] {
	chosen := o.rows(ctx, f.where(), true)
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
	c := conditions{parts: []string{"finished_at > 0"}}
	c.add("finished_at >= $%d", queue.Micros(since))
	if !until.IsZero() {
		c.add("finished_at < $%d", queue.Micros(until))
	}
	return o.rows(ctx, c, false)
}

// Settled is how long after a deletion finished it is surely stored as finished:
// the time is a server's clock, and the row is written afterwards, again and
// again while the database is busy.
const Settled = 10 * time.Minute

// rows yields the rows by their ids, in chunks, each from where the last ended.
func (o *Operator) rows(ctx context.Context, c conditions, newestFirst bool) iter.Seq2[queue.Record, error] {
	comparison, order, last := ">", "", int64(0)
	if newestFirst {
		comparison, order, last = "<", " DESC", int64(math.MaxInt64)
	}
	query := fmt.Sprintf("SELECT %s FROM polar_bridge_deletions WHERE %s AND id %s $%d ORDER BY id%s LIMIT %d",
		queue.Columns, strings.Join(c.parts, " AND "), comparison, len(c.values)+1, order, rowsAtOnce)
	return func(yield func(queue.Record, error) bool) {
		for {
			found, err := queue.Records(ctx, o.options.Reader, o.options.Now(), query, append(slices.Clip(c.values), last)...)
			if err != nil {
				yield(queue.Record{}, err)
				return
			}
			for _, r := range found {
				if !yield(r, nil) {
					return
				}
			}
			if len(found) < rowsAtOnce {
				return
			}
			last = found[len(found)-1].ID
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("interrupted"), ctx.Err())
	}
}
