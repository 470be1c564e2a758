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
	// OldestWaiting is when the oldest waiting deletion was accepted, or its
	// grace period was over; zero when none waits.
	OldestWaiting time.Time
}

// Census counts the unfinished deletions, beside the handle that writes.
// Nothing here makes River discard a job; should it ever, a human must see it.
// A verification counts only when it is held: until then nobody misses it.
//
// What is counted by stands in the index from which River fetches jobs, so that
// a million rows need not be read. That is why a verification is told by its
// priority here, and the oldest deletion by its id.
func (q *Queue) Census(ctx context.Context) (Census, error) {
	epoch := "extract(epoch FROM created_at)::bigint"
	if q.options.Driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		epoch = "CAST(strftime('%s', created_at) AS integer)"
	}
	var c Census
	var oldest sql.NullInt64
	const ours = "queue IN ('" + queueDeletions + "', '" + queueDryRun + "')"
	err := q.options.Reader.QueryRowContext(ctx, `
		SELECT waiting.n,
			(SELECT count(*) FROM river_job WHERE `+ours+` AND (state = 'discarded' OR state = 'scheduled' AND scheduled_at > `+heldFrom+`)),
			(SELECT `+epoch+` FROM river_job WHERE id = waiting.first)
		FROM (SELECT count(*) AS n, min(id) AS first FROM river_job
			WHERE `+ours+` AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
			AND priority < $1 AND scheduled_at < `+heldFrom+`) AS waiting`, verifyPriority).
		Scan(&c.Waiting, &c.Held, &oldest)
	if err != nil {
		return Census{}, fmt.Errorf("count deletions: %w", err)
	}
	due := time.Unix(oldest.Int64, 0).Add(q.options.GracePeriod)
	if oldest.Valid && (q.options.GracePeriod == 0 || due.Before(q.options.Now())) {
		c.OldestWaiting = due
	}
	return c, nil
}
