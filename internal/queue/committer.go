package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

const (
	// commitTimeout bounds one transaction. It is not a request's own: those
	// that share the transaction must not fail because one sender hung up.
	commitTimeout = 2 * time.Second
	// defaultBatchSize is after how many rows a transaction is closed.
	defaultBatchSize = 256
)

// errRefused says that the database answers and does not take this one.
var errRefused = errors.New("the database refuses it")

var errStopped = errors.New("the program is stopping")

// write is what one caller has written, on its way through the committer: a
// webhook's deletions, the begin of a send, or a decision.
type write struct {
	ctx  context.Context //nolint:containedctx // tells the committer who still waits
	done chan error      // buffered: whoever gave up does not read it

	deletions []deletion.Deletion
	receipt   deletion.Receipt
	send      *send
	decision  *decided
}

func newWrite(ctx context.Context) *write { return &write{ctx: ctx, done: make(chan error, 1)} }

// rows is how many rows the write is about.
func (w *write) rows() int { return max(len(w.deletions), 1) }

// committer writes what comes at the same time in one transaction, so that one
// sync of the disk serves them all (group commit).
type committer struct {
	db     *sql.DB
	begin  *sql.TxOptions
	size   int
	writes chan *write
	ended  chan struct{}
	ingest *ingestPriority
	// apply does what all writes ask for within tx; settle tells each of them
	// after the commit what it came to.
	apply func(ctx context.Context, tx *sql.Tx, batch []*write) (settle func(), err error)
	// inPlace returns why what was committed is not where the next start finds it.
	inPlace func() error
}

// write returns once it is on disk.
func (c *committer) write(w *write) error {
	select {
	case c.writes <- w:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	case <-c.ended:
		return errStopped
	}
	select {
	case err := <-w.done:
		return err
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
}

// run commits whatever has gathered while the last transaction ran, until ctx
// ends.
func (c *committer) run(ctx context.Context) {
	defer close(c.ended)
	for {
		select {
		case first := <-c.writes:
			batch, webhooks := c.gather(first)
			end := c.ingest.beginBurst(webhooks)
			c.commit(context.WithoutCancel(ctx), batch)
			end()
		case <-ctx.Done():
			return
		}
	}
}

// gather returns the batch that begins with first, and how many webhooks are in it.
func (c *committer) gather(first *write) (batch []*write, webhooks int) {
	rows := 0
	for next := first; ; {
		batch = append(batch, next)
		rows += next.rows()
		if len(next.deletions) > 0 {
			webhooks++
		}
		if rows >= c.size {
			return batch, webhooks
		}
		select {
		case next = <-c.writes:
			continue
		default:
		}
		runtime.Gosched() // lets those that are about to write join
		select {
		case next = <-c.writes:
		default:
			return batch, webhooks
		}
	}
}

// commit writes a batch in one transaction and answers each write. When the
// database refuses it, the halves are tried, down to single deletions, so that one
// that cannot be stored fails alone.
func (c *committer) commit(ctx context.Context, batch []*write) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	c.commitWithin(ctx, stillWaiting(batch))
}

func (c *committer) commitWithin(ctx context.Context, batch []*write) {
	if len(batch) == 0 {
		return
	}
	err := c.transact(ctx, batch)
	switch first := batch[0]; {
	case err == nil, ctx.Err() != nil, c.inPlace() != nil:
		for _, w := range batch {
			w.done <- err
		}
	case len(batch) > 1:
		middle := len(batch) / 2
		c.commitWithin(ctx, batch[:middle])
		c.commitWithin(ctx, batch[middle:])
	case len(first.deletions) > 1:
		middle := len(first.deletions) / 2
		first.done <- errors.Join(c.commitPart(ctx, first, first.deletions[:middle]), c.commitPart(ctx, first, first.deletions[middle:]))
	default:
		first.done <- fmt.Errorf("%w: %w", errRefused, err)
	}
}

// commitPart writes some of a write's deletions in a transaction of their own.
func (c *committer) commitPart(ctx context.Context, whole *write, deletions []deletion.Deletion) error {
	part := newWrite(ctx)
	part.deletions = deletions
	c.commitWithin(ctx, []*write{part})
	err := <-part.done
	whole.receipt = whole.receipt.Plus(part.receipt)
	return err
}

// stillWaiting leaves out those that nobody waits for any more.
func stillWaiting(batch []*write) []*write {
	waiting := batch[:0]
	for _, w := range batch {
		if w.ctx.Err() == nil {
			waiting = append(waiting, w)
		}
	}
	return waiting
}

func (c *committer) transact(ctx context.Context, batch []*write) error {
	var settle func()
	err := transact(ctx, c.db, c.begin, func(tx *sql.Tx) (err error) {
		settle, err = c.apply(ctx, tx, batch)
		return err
	})
	if err == nil {
		err = c.inPlace()
	}
	if err == nil {
		settle()
	}
	return err
}
