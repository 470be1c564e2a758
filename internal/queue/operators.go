package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

const (
	// operatorsEvery is how soon a server notices what operators did elsewhere.
	operatorsEvery = 2 * time.Second
	// cancelledAtOnce is how many cancelled deletions one transaction counts.
	cancelledAtOnce = 500
)

// followOperators does until ctx ends what only a server can do about actions
// of operators in other processes: count and log what they cancelled, and keep
// their pauses.
func (q *Queue) followOperators(ctx context.Context) {
	for {
		_, err := q.reportCancelled(ctx)
		if err := errors.Join(err, q.keepPauses(ctx)); err != nil && ctx.Err() == nil {
			q.options.Logger.Error("poll for operator actions failed", zap.Error(err))
		}
		if err := sleep(ctx, operatorsEvery); err != nil {
			return
		}
	}
}

// reportCancelled counts and logs cancelled deletions that no server has counted
// yet. Marking one takes it, so that of several replicas one counts it.
func (q *Queue) reportCancelled(ctx context.Context) (counted int, err error) {
	skip := ""
	if q.store.postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	for {
		var some bool
		if err := q.options.Reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM polar_bridge_deletions WHERE state = 'cancelled' AND NOT reported)").Scan(&some); err != nil {
			return counted, fmt.Errorf("look for cancelled deletions: %w", err)
		}
		if !some {
			return counted, nil
		}
		found, err := Records(ctx, q.options.DB, q.options.Now(), fmt.Sprintf(`UPDATE polar_bridge_deletions SET reported = TRUE WHERE id IN (SELECT id FROM polar_bridge_deletions
			WHERE state = 'cancelled' AND NOT reported ORDER BY id LIMIT %d%s) RETURNING %s`, cancelledAtOnce, skip, Columns))
		if err != nil {
			return counted, fmt.Errorf("count cancelled deletions: %w", err)
		}
		if len(found) == 0 { // another replica is at it
			return counted, nil
		}
		for _, r := range found {
			if err := q.finishCancelled(ctx, r); err != nil {
				return counted, err
			}
		}
		counted += len(found)
	}
}

func (q *Queue) finishCancelled(ctx context.Context, r Record) error {
	q.options.Metrics.DeletionFinished(r.Provider, deletion.OutcomeCancelled, 0)
	actions, err := Actions(ctx, q.options.Reader, r.ID)
	if err != nil {
		return err
	}
	var last Action
	for _, a := range actions {
		if a.Action == "cancel" {
			last = a
		}
	}
	q.options.Logger.Info("deletion finished", append(q.options.fields(r.Deletion()),
		zap.String("outcome", string(deletion.OutcomeCancelled)), zap.Int64("deletion_id", r.ID), zap.Int64("attempt", r.Attempts),
		zap.String("by", last.By), zap.String("reason", last.Reason))...)
	return nil
}

// Actions reads what operators did about a deletion, the oldest first.
func Actions(ctx context.Context, from Querier, id int64) (all []Action, err error) {
	rows, err := from.QueryContext(ctx, "SELECT at, operator, action, reason FROM polar_bridge_actions WHERE deletion_id = $1 ORDER BY id", id)
	if err != nil {
		return nil, fmt.Errorf("read actions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a Action
		var at int64
		if err := rows.Scan(&at, &a.By, &a.Action, &a.Reason); err != nil {
			return nil, fmt.Errorf("read actions: %w", err)
		}
		a.At = Instant(at)
		all = append(all, a)
	}
	return all, rows.Err()
}
