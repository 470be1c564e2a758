// Package outbox takes deletions from the table polar_bridge.outbox of an auth system's
// database: it polls, because a notification can fail a user's deletion.
//
// A row is locked, its deletion stored, and only then the row is deleted, all within
// one transaction there: whatever ends in between leaves the row, and the repeat is
// recognised by its id. It must not know how deletions are kept, nor who confirms that
// the user is gone.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/metrics"
)

const (
	every        = 2 * time.Second  // the time between two looks
	blockedAgain = 30 * time.Second // the time until the next one while only an administrator can help
	// batch is how many rows are stored together: what one transaction of the queue
	// takes in its time, with room for webhooks beside it.
	batch        = 100
	batchTimeout = 15 * time.Second
	repeatLine   = time.Minute // how often the log tells of the same problem
)

// Acceptor stores deletions durably.
type Acceptor interface {
	Accept(ctx context.Context, deletions []deletion.Deletion) (deletion.Receipt, error)
}

// Options for New.
type Options struct {
	Database *authdatabase.Database
	// Pinned says which database may be read: another one has other users.
	Pinned *directory.PinnedInstance
	// Pattern limits the external ids that are taken; nil for all.
	Pattern  *regexp.Regexp
	Acceptor Acceptor
	Metrics  *metrics.Metrics
	Logger   *zap.Logger
	Now      func() time.Time
}

// Reader reads one outbox. Several may, each in its own process.
type Reader struct {
	options Options

	problem metrics.OutboxProblem // "" while it can be read
	said    time.Time             // when the log told of it
}

// New returns a Reader. It does nothing before Run.
func New(o Options) *Reader {
	o.Metrics.SetOutboxBlocked("")
	return &Reader{options: o}
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	for {
		taken, err := r.read(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := r.observe(err)
		if taken == batch {
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// read takes one batch and returns how many rows it had.
func (r *Reader) read(ctx context.Context) (taken int, err error) {
	o := &r.options
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	tx, err := o.Database.BeginTx(ctx, nil)
	if err != nil {
		return 0, authdatabase.Explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // what is not committed is taken again
	instance, err := o.Database.Verify(ctx, tx)
	if err != nil {
		return 0, err
	}
	if err := o.Pinned.Allow(ctx, instance); err != nil {
		return 0, err
	}
	rows, err := o.Database.Take(ctx, tx, batch)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	if err := r.store(ctx, rows, instance); err != nil {
		return 0, fmt.Errorf("%w: %w", errNotStored, err)
	}
	if err := o.Database.Done(ctx, tx, rows); err != nil {
		return 0, err
	}
	return len(rows), authdatabase.Explain(tx.Commit())
}

var errNotStored = errors.New("deletions of the outbox were not stored")

// store returns once the deletions are on disk.
func (r *Reader) store(ctx context.Context, rows []authdatabase.Row, instance string) error {
	o, now := &r.options, r.options.Now().UTC()
	delivery := deletion.Delivery{Deletions: make([]deletion.Deletion, len(rows))}
	for i, row := range rows {
		d := deletion.Deletion{
			Provider: o.Database.Provider, EventID: row.ID, UserID: row.UserID, ExternalID: row.UserID,
			Instance: instance, Source: deletion.SourceOutbox, ReceivedAt: now,
		}
		d.OccurredAt, _ = deletion.Occurred(row.DeletedAt, now)
		if deletion.CheckExternalID(row.UserID) != nil {
			d.UserID, d.ExternalID, d.UnusableID = "", "", deletion.QuoteID(row.UserID)
		}
		delivery.Deletions[i] = d
	}
	delivery = delivery.Matching(o.Pattern)
	receipt, err := o.Acceptor.Accept(ctx, delivery.Deletions)
	if err != nil {
		return err
	}
	provider := o.Database.Provider
	o.Metrics.Events(provider, metrics.EventAccepted, receipt.Accepted-receipt.Held)
	o.Metrics.Events(provider, metrics.EventHeld, receipt.Held)
	o.Metrics.Events(provider, metrics.EventDuplicate, receipt.Duplicates)
	o.Metrics.Events(provider, metrics.EventIgnored, delivery.Ignored)
	o.Logger.Info("outbox read", zap.String("provider", provider), zap.Int("accepted", receipt.Accepted), zap.Int("held", receipt.Held),
		zap.Int("duplicates", receipt.Duplicates), zap.Int("ignored", delivery.Ignored))
	return nil
}

// observe tells the metrics and the log what a look came to, and returns when to look
// again: what an administrator has to change is not asked for all the time.
func (r *Reader) observe(err error) time.Duration {
	problem := problemOf(err)
	now, provider := r.options.Now(), zap.String("provider", r.options.Database.Provider)
	r.options.Metrics.SetOutboxBlocked(problem)
	switch {
	case problem == "" && r.problem != "":
		r.options.Logger.Info("outbox can be read again", provider)
	case problem != "" && (problem != r.problem || now.Sub(r.said) >= repeatLine):
		r.options.Logger.Error("outbox cannot be read", provider, zap.String("reason", string(problem)), zap.Error(err))
		r.said = now
	}
	r.problem = problem
	if problem == "" || problem == metrics.OutboxUnavailable || problem == metrics.OutboxNotStored {
		return every
	}
	return blockedAgain
}

func problemOf(err error) metrics.OutboxProblem {
	if err == nil {
		return ""
	}
	if refused, ok := errors.AsType[*directory.Error](err); ok && refused.Reason == deletion.RetryDirectoryOtherInstance {
		return metrics.OutboxWrongDatabase
	}
	known, ok := errors.AsType[*authdatabase.Error](err)
	if !ok {
		return metrics.OutboxNotStored // the trouble is our own database's
	}
	switch known.Problem {
	case authdatabase.Refused:
		return metrics.OutboxRefused
	case authdatabase.NotInstalled:
		return metrics.OutboxNotInstalled
	case authdatabase.Inconclusive:
		return metrics.OutboxWrongDatabase
	case authdatabase.Unavailable:
	}
	return metrics.OutboxUnavailable
}
