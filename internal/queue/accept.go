package queue

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

const (
	// acceptTimeout is how long a webhook waits for the database.
	acceptTimeout = 2 * time.Second
	// acceptChunk bounds the deletions that are stored together: a batch of log
	// lines may hold thousands, more than one transaction takes in its time.
	acceptChunk = 100
)

// Accept stores the deletions and returns once they are on disk. Repeats are
// recognised by provider and event id. Concurrent calls share one transaction,
// so that one sync of the disk serves them all.
//
// Error: fault.Unavailable when the database does not take them within two
// seconds, or refuses one of them. The others are stored all the same; a repeat is
// then a duplicate.
func (q *Queue) Accept(ctx context.Context, deletions []deletion.Deletion) (deletion.Receipt, error) {
	var total deletion.Receipt
	var refused error
	for chunk := range slices.Chunk(deletions, acceptChunk) {
		receipt, err := q.acceptChunk(ctx, chunk)
		if err != nil && !errors.Is(err, errRefused) {
			return deletion.Receipt{}, err // the next ones would wait as long
		}
		refused = errors.Join(refused, err)
		total = total.Plus(receipt)
	}
	if refused != nil {
		return deletion.Receipt{}, notStored(refused)
	}
	return total, nil
}

func (q *Queue) acceptChunk(ctx context.Context, deletions []deletion.Deletion) (deletion.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	w := newWrite(ctx)
	w.deletions = deletions
	if err := q.commits.write(w); err != nil {
		return deletion.Receipt{}, notStored(err)
	}
	return w.receipt, nil
}

func notStored(err error) error {
	return fault.New(fault.Unavailable, fault.ReasonDatabase, "store deletions: %w", err)
}

// receipt counts one request's deletions, once they are on disk.
func (q *Queue) receipt(deletions []deletion.Deletion, l *Ledger) deletion.Receipt {
	var r deletion.Receipt
	for _, d := range deletions {
		id, reason, fresh := l.Claim(d)
		if !fresh {
			r.Duplicates++
			continue
		}
		r.Accepted++
		if reason != "" {
			r.Held++
			q.options.Metrics.DeletionHeld(d.CountedAs(), reason)
			q.options.Logger.Error("deletion held", append(q.options.fields(d), zap.String("reason", string(reason)), zap.Int64("deletion_id", id))...)
		}
	}
	return r
}
