package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"
)

// Pause says whether an operator keeps all servers from trying deletions.
// Webhooks are taken all the same.
type Pause struct {
	Paused bool      `json:"paused"`
	Since  time.Time `json:"since,omitzero"`
	// By is who paused, "" when it was not done by an Operator.
	By string `json:"by,omitzero"`
}

// queuesOfDeletions are those that Pause stops.
func queuesOfDeletions() []string { return []string{queueDeletions, queueDryRun} }

// Pause stops all servers, also those that start later, from trying deletions
// until Resume; what is being tried is finished. It says whether anything changed.
func (o *Operator) Pause(ctx context.Context) (changed bool, err error) {
	return o.setPaused(ctx, "pause", true, o.client.QueuePauseTx)
}

// Resume ends a pause, River's console's too. It says whether anything changed.
func (o *Operator) Resume(ctx context.Context) (changed bool, err error) {
	return o.setPaused(ctx, "resume", false, o.client.QueueResumeTx)
}

// Paused looks whether an operator has paused.
func (o *Operator) Paused(ctx context.Context) (Pause, error) {
	return readPause(ctx, o.options.Reader, o.sql)
}

func (o *Operator) setPaused(ctx context.Context, action string, wanted bool,
	set func(ctx context.Context, tx *sql.Tx, queue string, opts *river.QueuePauseOpts) error,
) (changed bool, err error) {
	done := Action{At: o.options.Now().UTC().Truncate(time.Second), By: o.options.By, Action: action}
	err = o.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, name := range queuesOfDeletions() {
			different, err := o.queueDiffers(ctx, tx, name, wanted)
			if err != nil {
				return err
			}
			if !different {
				continue
			}
			changed = true
			if err := set(ctx, tx, name, nil); err != nil {
				return fmt.Errorf("%s the queue %s: %w", action, name, err)
			}
			if err := o.noteOnQueue(ctx, tx, name, done); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !changed {
		return false, err
	}
	o.options.Logger.Info("operator action", zap.String("action", action), zap.String("by", o.options.By))
	return true, nil
}

// queueDiffers says whether the queue is not yet as it is wanted. A server
// would make its row at its first start; a pause must not have to wait for that.
func (o *Operator) queueDiffers(ctx context.Context, tx *sql.Tx, name string, wanted bool) (bool, error) {
	//nolint:gosec // all parts are constants of ours
	_, err := tx.ExecContext(ctx, "INSERT INTO river_queue (name, created_at, updated_at) VALUES ($1, "+o.sql.now+", "+o.sql.now+") ON CONFLICT (name) DO NOTHING", name)
	if err != nil {
		return false, fmt.Errorf("make the queue %s: %w", name, err)
	}
	var paused bool
	if err := tx.QueryRowContext(ctx, "SELECT paused_at IS NOT NULL FROM river_queue WHERE name = $1"+o.sql.lock, name).Scan(&paused); err != nil {
		return false, fmt.Errorf("read the queue %s: %w", name, err)
	}
	return paused != wanted, nil
}

// noteOnQueue writes down who did it, beside what is there.
func (o *Operator) noteOnQueue(ctx context.Context, tx *sql.Tx, name string, done Action) error {
	var raw []byte
	if err := tx.QueryRowContext(ctx, "SELECT "+o.sql.text("metadata")+" FROM river_queue WHERE name = $1", name).Scan(&raw); err != nil {
		return fmt.Errorf("read the queue %s: %w", name, err)
	}
	m := document{}
	_ = json.Unmarshal(raw, &m) // unreadable metadata says nothing
	if err := m.note(done); err != nil {
		return err
	}
	encoded, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode the queue's metadata: %w", err)
	}
	if _, err := o.client.QueueUpdateTx(ctx, tx, name, &river.QueueUpdateParams{Metadata: encoded}); err != nil {
		return fmt.Errorf("note who did it: %w", err)
	}
	return nil
}

func readPause(ctx context.Context, db *sql.DB, s operatorStatements) (p Pause, err error) {
	//nolint:gosec // all parts are constants of ours
	rows, err := db.QueryContext(ctx, "SELECT paused_at, "+s.text("metadata")+" FROM river_queue WHERE paused_at IS NOT NULL AND name IN ($1, $2) ORDER BY paused_at DESC",
		queueDeletions, queueDryRun)
	if err != nil {
		return Pause{}, fmt.Errorf("read whether deletions are paused: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&p.Since, &raw); err != nil {
			return Pause{}, fmt.Errorf("read whether deletions are paused: %w", err)
		}
		p.Paused, p.Since, p.By = true, p.Since.UTC(), ""
		m := document{}
		_ = json.Unmarshal(raw, &m) // unreadable metadata says nothing
		var actions []Action
		m.read(keyActions, &actions)
		if n := len(actions); n > 0 && actions[n-1].Action == "pause" {
			p.By = actions[n-1].By
		}
	}
	return p, rows.Err()
}

// Paused says whether an operator has paused.
func (q *Queue) Paused(ctx context.Context) (bool, error) {
	p, err := readPause(ctx, q.options.Reader, newOperatorStatements(q.options.Driver.DatabaseName()))
	return p.Paused, err
}

// keepPauses keeps River from forgetting paused queues that nobody has served
// for a day, as after a long stop or during a dry run.
func (q *Queue) keepPauses(ctx context.Context) error {
	stale, now := "datetime('now', '-1 hour')", "datetime('now', 'subsec')"
	if q.options.Driver.DatabaseName() != riverdriver.DatabaseNameSQLite {
		stale, now = "now() - interval '1 hour'", "now()"
	}
	where := " WHERE paused_at IS NOT NULL AND updated_at < " + stale
	var some bool
	if err := q.options.Reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM river_queue"+where+")").Scan(&some); err != nil {
		return fmt.Errorf("look for paused queues: %w", err)
	}
	if !some {
		return nil
	}
	if _, err := q.options.DB.ExecContext(ctx, "UPDATE river_queue SET updated_at = "+now+where); err != nil {
		return fmt.Errorf("keep the pause: %w", err)
	}
	return nil
}
