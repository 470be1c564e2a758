package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

const (
	// operatorsEvery is how soon a server notices what operators did elsewhere.
	operatorsEvery = 2 * time.Second
	// cancelledAtOnce is how many cancelled deletions one transaction counts.
	cancelledAtOnce = 500
)

// followOperators does what only a server can do about actions of operators in other
// processes: count and log what they cancelled, and keep their pauses.
func (q *Queue) followOperators(ctx context.Context) (again time.Duration, err error) {
	_, err = q.reportCancelled(ctx)
	return operatorsEvery, errors.Join(err, q.keepPauses(ctx))
}

// reportCancelled counts and logs cancelled deletions that no server has counted
// yet. Marking one takes it, so that of several replicas one counts it.
func (q *Queue) reportCancelled(ctx context.Context) (counted int, err error) {
	for {
		var taken []int64
		some, err := q.some(ctx, q.store.sql.SomeUnreported)
		if err == nil && some {
			taken, err = IDs(ctx, q.options.DB, q.store.sql.TakeUnreported, cancelledAtOnce)
		}
		if err != nil {
			return counted, fmt.Errorf("count cancelled deletions: %w", err)
		}
		found, err := q.store.Records(ctx, q.options.DB, taken, q.options.Now())
		if err != nil {
			return counted, err
		}
		if len(found) == 0 { // there are none, or another replica is at it
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
	q.options.Metrics.DeletionFinished(r.Deletion().CountedAs(), deletion.OutcomeCancelled, 0)
	actions, err := q.store.Actions(ctx, q.options.Reader, r.ID)
	if err != nil {
		return err
	}
	var last Action
	for _, a := range actions[r.ID] {
		if a.Action == "cancel" {
			last = a
		}
	}
	q.options.Logger.Info("deletion finished", append(q.options.fields(r.Deletion()),
		zap.String("outcome", string(deletion.OutcomeCancelled)), zap.Int64("deletion_id", r.ID), zap.Int64("attempt", r.Attempts),
		zap.String("by", last.By), zap.String("reason", last.Reason))...)
	return nil
}

// Actions reads what operators did about deletions, by their ids, the oldest first.
func (s *Store) Actions(ctx context.Context, from Querier, ids ...int64) (map[int64][]Action, error) {
	all := map[int64][]Action{}
	batched, err := batch(ids)
	if err != nil {
		return nil, err
	}
	err = namedsql.Each(ctx, from, func(row *sql.Rows) error {
		var a Action
		var id, at int64
		err := row.Scan(&id, &at, &a.By, &a.Action, &a.Reason)
		a.At = Instant(at)
		all[id] = append(all[id], a)
		return err
	}, s.sql.Actions, batched)
	if err != nil {
		return nil, fmt.Errorf("read actions: %w", err)
	}
	return all, nil
}
