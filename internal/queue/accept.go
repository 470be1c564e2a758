package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

const (
	// acceptTimeout is how long a webhook waits for the database.
	acceptTimeout = 2 * time.Second
	// commitTimeout bounds one transaction. It is not a request's own: those
	// that share the transaction must not fail because one sender hung up.
	commitTimeout = 2 * time.Second
	// beginAgain is the pause before a transaction that did not begin is tried
	// again.
	beginAgain = 50 * time.Millisecond
	// defaultBatchSize is after how many deletions a transaction is closed.
	defaultBatchSize = 256
	// acceptChunk bounds the deletions that are stored together: a batch of log
	// lines may hold thousands, more than one transaction takes in its time.
	acceptChunk = 100
)

// request is what one caller stores, on its way through the committer: the
// deletions of a webhook, or a worker's job.
type request struct {
	ctx       context.Context //nolint:containedctx // tells the committer who still waits
	deletions []event.Deletion
	job       *river.InsertManyParams
	done      chan result
}

type result struct {
	receipt event.Receipt
	err     error
}

func (r result) plus(other result) result {
	return result{r.receipt.Plus(other.receipt), errors.Join(r.err, other.err)}
}

// errRefused says that the database answers and does not take this one.
var errRefused = errors.New("the database refuses it")

// Accept stores the deletions and returns once they are on disk. Repeats are
// recognised by provider and event id. Concurrent calls share one transaction,
// so that one sync of the disk serves them all.
//
// Error: fault.Unavailable when the database does not take them within two
// seconds, or refuses one of them. The others are stored all the same; a repeat is
// then a duplicate.
func (q *Queue) Accept(ctx context.Context, deletions []event.Deletion) (event.Receipt, error) {
	var total event.Receipt
	var refused error
	for chunk := range slices.Chunk(deletions, acceptChunk) {
		receipt, err := q.acceptChunk(ctx, chunk)
		if err != nil && !errors.Is(err, errRefused) {
			return event.Receipt{}, err // the next ones would wait as long
		}
		refused = errors.Join(refused, err)
		total = total.Plus(receipt)
	}
	if refused != nil {
		return event.Receipt{}, notTaken(refused)
	}
	return total, nil
}

func (q *Queue) acceptChunk(ctx context.Context, deletions []event.Deletion) (event.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	return q.store(&request{ctx: ctx, deletions: deletions, done: make(chan result, 1)})
}

// store returns once the request is on disk.
func (q *Queue) store(r *request) (event.Receipt, error) {
	select {
	case q.requests <- r:
	case <-r.ctx.Done():
		return event.Receipt{}, notTaken(context.Cause(r.ctx))
	case <-q.stopping:
		return event.Receipt{}, notTaken(errStopping)
	}
	select {
	case done := <-r.done:
		return done.receipt, done.err
	case <-r.ctx.Done():
		return event.Receipt{}, notTaken(context.Cause(r.ctx))
	}
}

// storeJob stores a worker's job, in one transaction with what comes at the same
// time. While the program stops, when webhooks are not taken any more, the job
// is stored for itself.
func (q *Queue) storeJob(ctx context.Context, job river.InsertManyParams) error {
	_, err := q.store(&request{ctx: ctx, job: &job, done: make(chan result, 1)})
	if errors.Is(err, errStopping) {
		_, err = q.client.Insert(ctx, job.Args, job.InsertOpts)
	}
	return err
}

func notTaken(err error) error {
	return fault.New(fault.Unavailable, fault.ReasonDatabase, "store deletions: %w", err)
}

// commitLoop commits whatever has gathered while the last transaction ran.
func (q *Queue) commitLoop(ctx context.Context) {
	for {
		select {
		case first := <-q.requests:
			batch, webhooks := q.gather(first)
			passed := q.crowd.comes(webhooks)
			q.commit(context.WithoutCancel(ctx), batch)
			passed()
		case <-ctx.Done():
			return
		}
	}
}

// gather returns the batch that begins with first, and how many webhooks are in it.
func (q *Queue) gather(first *request) (batch []*request, webhooks int) {
	jobs := 0
	for next := first; ; {
		batch = append(batch, next)
		if jobs += len(next.deletions); next.job != nil {
			jobs++
		} else {
			webhooks++
		}
		if jobs >= q.options.BatchSize {
			return batch, webhooks
		}
		select {
		case next = <-q.requests:
		default:
			return batch, webhooks
		}
	}
}

// commit stores a batch in one transaction and answers each request. When the
// database refuses it, the halves are tried, down to single deletions, so that one
// that cannot be stored fails alone.
func (q *Queue) commit(ctx context.Context, batch []*request) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	q.commitWithin(ctx, stillWaiting(batch))
}

func (q *Queue) commitWithin(ctx context.Context, batch []*request) {
	if len(batch) == 0 {
		return
	}
	known, err := q.insert(ctx, batch)
	switch first := batch[0]; {
	case err == nil:
		for _, r := range batch {
			r.done <- result{receipt: q.receipt(r.deletions, known)}
		}
	case ctx.Err() != nil, q.inPlace() != nil:
		for _, r := range batch {
			r.done <- result{err: notTaken(err)}
		}
	case len(batch) > 1:
		middle := len(batch) / 2
		q.commitWithin(ctx, batch[:middle])
		q.commitWithin(ctx, batch[middle:])
	case len(first.deletions) > 1:
		middle := len(first.deletions) / 2
		first.done <- q.commitAlone(ctx, first.deletions[:middle]).plus(q.commitAlone(ctx, first.deletions[middle:]))
	default:
		first.done <- result{err: notTaken(fmt.Errorf("%w: %w", errRefused, err))}
	}
}

// commitAlone stores some of a request's deletions in a transaction of their own.
func (q *Queue) commitAlone(ctx context.Context, deletions []event.Deletion) result {
	part := &request{ctx: ctx, deletions: deletions, done: make(chan result, 1)}
	q.commitWithin(ctx, []*request{part})
	return <-part.done
}

// stillWaiting leaves out those who were told 503 already.
func stillWaiting(batch []*request) []*request {
	waiting := batch[:0]
	for _, r := range batch {
		if r.ctx.Err() == nil {
			waiting = append(waiting, r)
		}
	}
	return waiting
}

// begin begins a transaction. While that fails nothing was sent, so it is tried
// until ctx ends: a connection that the server has closed is no reason for 503.
func begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	for {
		tx, err := db.BeginTx(ctx, nil)
		if err == nil {
			return tx, nil
		}
		again := time.NewTimer(beginAgain)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, fmt.Errorf("begin: %w", err)
		}
	}
}

// insert stores the batch in one transaction and returns what was new.
func (q *Queue) insert(ctx context.Context, batch []*request) (known ledger, err error) {
	tx, err := begin(ctx, q.options.DB)
	if err != nil {
		return ledger{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var deletions []event.Deletion
	var jobs []river.InsertManyParams
	for _, r := range batch {
		deletions = append(deletions, r.deletions...)
		if r.job != nil {
			jobs = append(jobs, *r.job)
		}
	}
	known, err = insertMany(ctx, q.client, tx, deletions, insertOptions{dryRun: q.options.DryRun, now: q.options.Now(), beside: jobs})
	if err != nil {
		return ledger{}, err
	}
	if err := tx.Commit(); err != nil {
		return ledger{}, fmt.Errorf("commit: %w", err)
	}
	return known, q.inPlace()
}

func (q *Queue) inPlace() error {
	if q.options.InPlace == nil {
		return nil
	}
	return q.options.InPlace()
}

// insertOptions say how deletions are stored, and what beside them.
type insertOptions struct {
	dryRun bool
	now    time.Time
	beside []river.InsertManyParams
}

// insertMany stores the deletions in tx and returns what was new. A repeat goes
// in once, because one statement may not meet itself; those that name another
// user than the first go in with a second statement, which only they cost.
func insertMany(ctx context.Context, client *river.Client[*sql.Tx], tx *sql.Tx, deletions []event.Deletion, o insertOptions) (ledger, error) {
	known := newLedger(len(deletions))
	var firsts []key
	var params []river.InsertManyParams
	for _, d := range deletions {
		if k, first := known.first(d); first {
			firsts = append(firsts, k)
			params = append(params, insertion(d, "", o.dryRun, o.now))
		}
	}
	inserted, err := client.InsertManyTx(ctx, tx, append(params, o.beside...))
	if err != nil {
		return ledger{}, fmt.Errorf("insert: %w", err)
	}
	for i, k := range firsts {
		if inserted[i].UniqueSkippedAsDuplicate {
			known.stored(k, inserted[i].Job)
		}
	}
	var conflicts []key
	params = nil
	for _, d := range deletions {
		if k, first := known.conflict(d); first {
			conflicts = append(conflicts, k)
			params = append(params, insertion(d, k.variant, o.dryRun, o.now))
		}
	}
	if len(conflicts) == 0 {
		return known, nil
	}
	inserted, err = client.InsertManyTx(ctx, tx, params)
	if err != nil {
		return ledger{}, fmt.Errorf("insert conflicting repeats: %w", err)
	}
	for i, k := range conflicts {
		known.fresh[k] = !inserted[i].UniqueSkippedAsDuplicate
	}
	return known, nil
}

// receipt counts one request's deletions.
func (q *Queue) receipt(deletions []event.Deletion, known ledger) event.Receipt {
	var r event.Receipt
	for _, d := range deletions {
		reason, fresh := known.claim(d)
		if !fresh {
			r.Duplicates++
			continue
		}
		r.Accepted++
		if reason != "" {
			r.Held++
			q.options.Metrics.DeletionHeld(d.Provider, string(reason))
			q.options.Logger.Error("deletion held", append(q.options.fields(d), zap.String("reason", string(reason)))...)
		}
	}
	return r
}
