package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// Census is how many deletions are in which state, now.
type Census struct {
	Waiting, Held int
	// OldestWaiting is when the oldest waiting deletion was accepted; zero
	// when none waits.
	OldestWaiting time.Time
}

// Census counts the unfinished deletions, beside the handle that writes.
// Nothing here makes River discard a job; should it ever, a human must see it.
func (q *Queue) Census(ctx context.Context) (Census, error) {
	epoch := "extract(epoch FROM min(created_at) FILTER (WHERE NOT held))::bigint"
	if q.options.Driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		epoch = "CAST(strftime('%s', min(created_at) FILTER (WHERE NOT held)) AS integer)"
	}
	var c Census
	var oldest sql.NullInt64
	err := q.options.Reader.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE held), `+epoch+`
		FROM (SELECT created_at, (state = 'discarded' OR state = 'scheduled' AND scheduled_at > `+heldFrom+`) AS held
		      FROM river_job WHERE state IN ('available', 'discarded', 'pending', 'retryable', 'running', 'scheduled')
		      AND kind IN ('`+kindDeletion+`', '`+kindDryRun+`')) AS unfinished`).
		Scan(&c.Waiting, &c.Held, &oldest)
	if err != nil {
		return Census{}, fmt.Errorf("count deletions: %w", err)
	}
	if oldest.Valid {
		c.OldestWaiting = time.Unix(oldest.Int64, 0)
	}
	return c, nil
}
