package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	// retentionEvery is how often deletions are looked for that were kept long enough.
	retentionEvery = time.Minute
	// retentionAtOnce bounds what one transaction removes: on SQLite all others
	// wait for it.
	retentionAtOnce = 500
)

// followRetention removes what finished longer ago than the retention.
func (q *Queue) followRetention(ctx context.Context) (again time.Duration, err error) {
	removed, err := q.removeOld(ctx)
	if removed == retentionAtOnce { // there may be more
		return time.Second, err
	}
	return retentionEvery, err
}

// removeOld removes some of them, with what operators did about them.
func (q *Queue) removeOld(ctx context.Context) (removed int, err error) {
	before := Micros(q.options.Now().Add(-q.options.Retention))
	old, err := IDs(ctx, q.options.Reader, q.store.sql.OldDeletions, before, retentionAtOnce)
	if err != nil {
		return 0, fmt.Errorf("look for old deletions: %w", err)
	}
	if len(old) == 0 {
		return 0, nil
	}
	err = Transact(ctx, q.options.DB, q.store, func(ctx context.Context, tx *sql.Tx) error {
		ids, err := batch(old)
		for _, statement := range []string{q.store.sql.RemoveApprovals, q.store.sql.RemoveActions, q.store.sql.RemoveDeletions} {
			if err == nil {
				_, err = tx.ExecContext(ctx, statement, ids)
			}
		}
		if err != nil {
			return fmt.Errorf("remove old deletions: %w", err)
		}
		return nil
	})
	return len(old), err
}
