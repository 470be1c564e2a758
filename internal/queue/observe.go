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
func (q *Queue) Census(ctx context.Context) (Census, error) {
	epoch := "extract(epoch FROM min(created_at) FILTER (WHERE NOT held))::bigint"
	if q.options.Driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		epoch = "CAST(strftime('%s', min(created_at) FILTER (WHERE NOT held)) AS integer)"
	}
	var c Census
	var oldest sql.NullInt64
	err := q.options.Reader.QueryRowContext(ctx, `
		SELECT count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE held), `+epoch+`
		FROM (SELECT created_at, kind, (state = 'discarded' OR state = 'scheduled' AND scheduled_at > `+heldFrom+`) AS held
		      FROM river_job WHERE state IN ('available', 'discarded', 'pending', 'retryable', 'running', 'scheduled')
		      AND kind IN ('`+kindDeletion+`', '`+kindDryRun+`', '`+kindVerify+`')) AS unfinished
		WHERE held OR kind <> '`+kindVerify+`'`).
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
