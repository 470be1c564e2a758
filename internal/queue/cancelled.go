package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
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
	ticker := time.NewTicker(operatorsEvery)
	defer ticker.Stop()
	for all := true; ; {
		_, err := q.countCancelled(ctx, all)
		all = err != nil // what was missed must be looked for again
		if err := errors.Join(err, q.keepPauses(ctx)); err != nil && ctx.Err() == nil {
			q.options.Logger.Error("actions of operators not looked for", zap.Error(err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// countCancelled counts and logs cancelled deletions that no server has
// counted yet. Marking one takes it, so that of several replicas one counts
// it. Unless all is set it only looks at those of the last minutes.
func (q *Queue) countCancelled(ctx context.Context, all bool) (counted int, err error) {
	s := newOperatorStatements(q.options.Driver.DatabaseName())
	recent, mark := "datetime('now', 'subsec', '-10 minutes')", "jsonb_set(metadata, '$."+keyCancelledCounted+"', jsonb('true'))"
	if !s.sqlite {
		recent, mark = "now() - interval '10 minutes'", "jsonb_set(metadata, '{"+keyCancelledCounted+"}', 'true')"
	}
	uncounted := " WHERE state = 'cancelled' AND kind IN ('" + kindDeletion + "', '" + kindDryRun + "') AND " + s.detail(keyCancelledCounted) + " IS NULL"
	if s.sqlite {
		uncounted += " AND (typeof(metadata) = 'blob' OR json_valid(metadata))"
	}
	if !all {
		uncounted += " AND finalized_at > " + recent
	}
	for {
		var some bool
		if err := q.options.Reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM river_job"+uncounted+")").Scan(&some); err != nil {
			return counted, fmt.Errorf("look for cancelled deletions: %w", err)
		}
		if !some {
			return counted, nil
		}
		found, err := jobs(ctx, q.options.DB, fmt.Sprintf("UPDATE river_job SET metadata = %s WHERE id IN (SELECT id FROM river_job%s ORDER BY id LIMIT %d%s) RETURNING %s",
			mark, uncounted, cancelledAtOnce, s.skipLocked(), s.columns))
		if err != nil {
			return counted, fmt.Errorf("count cancelled deletions: %w", err)
		}
		if len(found) == 0 { // another replica is at it
			return counted, nil
		}
		for _, j := range found {
			q.finishCancelled(j.record())
		}
		counted += len(found)
	}
}

func (s operatorStatements) skipLocked() string {
	if s.sqlite {
		return ""
	}
	return s.lock + " SKIP LOCKED"
}

func (q *Queue) finishCancelled(r Record) {
	q.options.Metrics.DeletionFinished(r.Provider, string(event.OutcomeCancelled), 0)
	d := event.Deletion{Provider: r.Provider, EventID: r.EventID, ExternalID: r.ExternalID, UnusableID: r.UnusableID}
	var by, reason string
	for _, a := range r.Actions {
		if a.Action == "cancel" {
			by, reason = a.By, a.Reason
		}
	}
	q.options.Logger.Info("deletion finished", append(q.options.fields(d),
		zap.String("outcome", string(event.OutcomeCancelled)), zap.Int64("deletion_id", r.ID), zap.Int("attempt", r.Attempts),
		zap.String("by", by), zap.String("reason", reason))...)
}
