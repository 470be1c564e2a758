package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// What the console may do is less than what the commands may: it lets nothing
// past a guard, and of several deletions it changes all or none.

// RetryWaiting lets deletions that wait after a failure be tried now. It
// changes none when one of them is held, finished or being tried.
func (o *Operator) RetryWaiting(ctx context.Context, ids []int64) error {
	_, err := o.act(ctx, ids, func(j *job, m document) (change, Action, error) {
		var reason event.HoldReason
		m.read(keyHoldReason, &reason)
		switch {
		case !j.ours():
			return 0, Action{}, unknownError(j.id)
		case j.held():
			return 0, Action{}, refused(j.id, "it is held as %s, and the console lets nothing past a guard; look at it with "+
				"`polar-bridge deletions show %d`, then decide with `polar-bridge deletions approve`, `retry` or `cancel`", reason, j.id)
		case j.finished():
			return 0, Action{}, refused(j.id, "it is %s, and a finished deletion is never tried again", j.stateInWords())
		case j.running():
			return 0, Action{}, refused(j.id, "it is being tried right now")
		case j.state == "available":
			return changeNote, Action{Action: "retry"}, nil // due already
		}
		return changeWaiting, Action{Action: "retry"}, nil
	})
	return err
}

// CancelUnfinished ends waiting and held deletions for good and tells those
// that are being tried to stop. It changes none when one of them is finished.
func (o *Operator) CancelUnfinished(ctx context.Context, ids []int64, reason string) error {
	_, err := o.act(ctx, ids, func(j *job, _ document) (change, Action, error) {
		done := Action{Action: "cancel", Reason: reason}
		switch {
		case !j.ours():
			return 0, Action{}, unknownError(j.id)
		case j.running():
			return changeStop, done, nil
		case j.finished():
			return 0, Action{}, refused(j.id, "it is %s already", j.stateInWords())
		}
		return changeCancelled, done, nil
	})
	return err
}

// Pausable says whether the queue is one of those that Pause stops.
func Pausable(queue string) bool { return slices.Contains(queuesOfDeletions(), queue) }

// HeldByReason counts the held deletions.
func (q *Queue) HeldByReason(ctx context.Context) (held map[event.HoldReason]int, err error) {
	s := newOperatorStatements(q.options.Driver.DatabaseName())
	//nolint:gosec // all parts are constants of ours
	rows, err := q.options.Reader.QueryContext(ctx, "SELECT coalesce("+s.detail(keyHoldReason)+", ''), count(*) FROM river_job WHERE "+isHeld+" GROUP BY 1")
	if err != nil {
		return nil, fmt.Errorf("count held deletions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	held = make(map[event.HoldReason]int)
	for rows.Next() {
		var reason event.HoldReason
		var count int
		if err := rows.Scan(&reason, &count); err != nil {
			return nil, fmt.Errorf("count held deletions: %w", err)
		}
		held[reason] = count
	}
	return held, rows.Err()
}

// NewViewer returns a client of River that works nothing, for River's console.
// The driver's handle decides what it can do; give it one that only reads.
func NewViewer(driver riverdriver.Driver[*sql.Tx], logger *zap.Logger) (*river.Client[*sql.Tx], error) {
	client, err := river.NewClient(driver, &river.Config{Logger: riverLogger(logger)})
	if err != nil {
		return nil, fmt.Errorf("prepare the console's view of the queue: %w", err)
	}
	return client, nil
}
