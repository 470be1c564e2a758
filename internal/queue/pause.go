package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Pause says whether an operator keeps all servers from trying deletions.
// Webhooks are taken all the same.
type Pause struct {
	Paused bool      `json:"paused"` // nothing new is tried at Polar
	Since  time.Time `json:"since"`  // when that began
	By     string    `json:"by"`     // who paused, "" when it was not done by a command of ours
	Reason string    `json:"reason"` // why, "" when nobody said so
}

// ActionPause is what an operator's pause is noted as.
const ActionPause = "pause"

// PausedQueues are River's queues of a binding, which an operator's pause stops.
func PausedQueues(binding int64) []string {
	return []string{queueName(binding, false), queueName(binding, true)}
}

// ReadPause looks whether an operator has paused.
func (s *Store) ReadPause(ctx context.Context, from Querier) (p Pause, err error) {
	err = from.QueryRowContext(ctx, s.sql.PausedQueue).Scan(&p.Since)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Pause{}, nil
	case err != nil:
		return Pause{}, fmt.Errorf("read whether deletions are paused: %w", err)
	}
	p.Paused, p.Since = true, p.Since.UTC()
	all, err := s.Actions(ctx, from, 0)
	actions := all[0]
	if n := len(actions); n > 0 && actions[n-1].Action == ActionPause {
		p.By, p.Reason = actions[n-1].By, actions[n-1].Reason
	}
	return p, err
}

// Paused says whether an operator has paused.
func (q *Queue) Paused(ctx context.Context) (bool, error) {
	p, err := q.store.ReadPause(ctx, q.options.Reader)
	return p.Paused, err
}

// keepPauses keeps River from forgetting paused queues that nobody has served
// for a day, as after a long stop or during a dry run.
func (q *Queue) keepPauses(ctx context.Context) error {
	some, err := q.some(ctx, q.store.sql.SomeStalePause)
	if err == nil && some {
		_, err = q.change(ctx, q.store.sql.KeepPauses)
	}
	if err != nil {
		return fmt.Errorf("keep the pause: %w", err)
	}
	return nil
}

// SetPaused pauses or resumes one of River's queues, and says whether that
// changed anything.
func (s *Store) SetPaused(ctx context.Context, tx *sql.Tx, name string, wanted bool) (changed bool, err error) {
	if _, err := tx.ExecContext(ctx, s.sql.MakeQueue, name); err != nil {
		return false, fmt.Errorf("make the queue %s: %w", name, err)
	}
	var paused bool
	if err := tx.QueryRowContext(ctx, s.sql.ReadQueue, name).Scan(&paused); err != nil {
		return false, fmt.Errorf("read the queue %s: %w", name, err)
	}
	switch {
	case paused == wanted:
		return false, nil
	case wanted:
		err = s.Client.QueuePauseTx(ctx, tx, name, nil)
	default:
		err = s.Client.QueueResumeTx(ctx, tx, name, nil)
	}
	if err != nil {
		return false, fmt.Errorf("pause or resume the queue %s: %w", name, err)
	}
	return true, nil
}
