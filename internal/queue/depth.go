package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Depth is how many deletions are in which state that is not final, now.
type Depth struct {
	Pending map[deletion.State]int
	// Held counts the held ones by reason.
	Held map[deletion.HoldReason]int
	// Reappeared counts those that reappeared by what was found.
	Reappeared map[deletion.Verification]int
	// OldestWaiting is when the oldest waiting deletion that this server works was accepted, or its
	// grace period was over; zero when none waits.
	OldestWaiting time.Time
}

// Depth counts them, beside the handle that writes.
func (q *Queue) Depth(ctx context.Context) (d Depth, err error) {
	d = Depth{Pending: make(map[deletion.State]int), Held: make(map[deletion.HoldReason]int), Reappeared: make(map[deletion.Verification]int)}
	err = namedsql.Each(ctx, q.options.Reader, func(row *sql.Rows) error {
		var state deletion.State
		var reason string
		var n int
		err := row.Scan(&state, &reason, &n)
		d.Pending[state] += n
		switch state {
		case deletion.StateHeld:
			d.Held[deletion.HoldReason(reason)] = n
		case deletion.StateReappeared:
			d.Reappeared[deletion.Verification(reason)] = n
		case deletion.StateWaiting, deletion.StateDone, deletion.StateCancelled:
		}
		return err
	}, q.store.sql.CountPending)
	if err != nil {
		return Depth{}, fmt.Errorf("count deletions: %w", err)
	}
	d.OldestWaiting, err = q.oldestWaiting(ctx)
	return d, err
}

func (q *Queue) oldestWaiting(ctx context.Context) (time.Time, error) {
	var received int64
	err := q.options.Reader.QueryRowContext(ctx, q.store.sql.OldestWaiting, q.options.DryRun).Scan(&received)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("find the oldest deletion: %w", err)
	}
	due := Instant(received).Add(q.options.GracePeriod)
	if q.options.GracePeriod > 0 && due.After(q.options.Now()) {
		return time.Time{}, nil
	}
	return due, nil
}
