package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	// retentionEvery is how often deletions are looked for that were kept long enough.
	retentionEvery = time.Minute
	// retentionAtOnce bounds what one transaction removes: on SQLite all others
	// wait for it.
	retentionAtOnce = 500
)

// followRetention removes what finished longer ago than the retention, until ctx
// ends.
func (q *Queue) followRetention(ctx context.Context) {
	for {
		removed, err := q.removeOld(ctx)
		if err != nil && ctx.Err() == nil {
			q.options.Logger.Error("removing old deletions failed", zap.Error(err))
		}
		wait := retentionEvery
		if removed == retentionAtOnce { // there may be more
			wait = time.Second
		}
		if err := sleep(ctx, wait); err != nil {
			return
		}
	}
}

// removeOld removes some of them, with what operators did about them.
func (q *Queue) removeOld(ctx context.Context) (removed int, err error) {
	before := Micros(q.options.Now().Add(-q.options.Retention))
	old, err := q.old(ctx, before)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	ids := Parameters(1, len(old))
	err = Transact(ctx, q.options.DB, q.store, func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range []string{
			"DELETE FROM polar_bridge_approvals WHERE deletion_id IN ",
			"DELETE FROM polar_bridge_actions WHERE deletion_id IN ",
			"DELETE FROM polar_bridge_deletions WHERE id IN ",
		} {
			if _, err := tx.ExecContext(ctx, statement+ids, old...); err != nil {
				return fmt.Errorf("remove old deletions: %w", err)
			}
		}
		return nil
	})
	return len(old), err
}

// old finds them beside the handle that writes.
func (q *Queue) old(ctx context.Context, before int64) (ids []any, err error) {
	rows, err := q.options.Reader.QueryContext(ctx, `SELECT id FROM polar_bridge_deletions WHERE finished_at > 0 AND finished_at < $1
		AND state IN ('done', 'cancelled') ORDER BY finished_at LIMIT $2`, before, retentionAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look for old deletions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for old deletions: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
