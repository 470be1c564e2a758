// Package window counts deletions within a sliding hour, over all replicas and
// through restarts, and says when there are too many.
//
// It must not know what a deletion is, nor what becomes of one too many.
package window

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Length is how long the window is.
const Length = time.Hour

// lockKey is the key of the advisory lock under which Postgres' replicas count
// one after the other.
const lockKey = 7362541889124711

// Options for New.
type Options struct {
	// DB holds the table polar_bridge_recent_deletions.
	DB *sql.DB
	// Server says that DB is a server that replicas share, and takes the time
	// from it, so that they need not agree: set on Postgres. Otherwise one
	// process at a time writes, and the time is Now's.
	Server bool
	// Now is the clock of this process.
	Now func() time.Time
	// Limit is how many deletions are let through within the window.
	Limit int
}

// Window lets so many deletions through within an hour.
type Window struct{ options Options }

// New returns a Window.
func New(o Options) *Window { return &Window{options: o} }

// The statements are the same for both dialects.
const (
	// A time in the future comes from a clock that stepped back. It counts from
	// now on, so that it can neither vanish early nor stay for ever.
	clampStatement = `UPDATE polar_bridge_recent_deletions SET counted_at = $1 WHERE counted_at > $1`
	pruneStatement = `DELETE FROM polar_bridge_recent_deletions WHERE counted_at <= $1`
	// A deletion that is tried again takes the place that it had, and is
	// counted anew from now on: what counts is when it may reach Polar.
	admitStatement = `INSERT INTO polar_bridge_recent_deletions (deletion_id, counted_at)
		SELECT CAST($1 AS bigint), CAST($2 AS bigint)
		WHERE (SELECT count(*) FROM polar_bridge_recent_deletions WHERE deletion_id <> $1) < $3
		ON CONFLICT (deletion_id) DO UPDATE SET counted_at = excluded.counted_at`
)

// Admit counts the deletion, unless the window is full of others, and reports
// whether it may go on. What it has counted is on disk when it returns, so a
// crash afterwards may leave one counted that never went out, but none out
// that was not counted.
//
// Error: fault.Unavailable when the database does not answer; then the deletion
// must not go on.
func (w *Window) Admit(ctx context.Context, deletionID int64) (bool, error) {
	admitted, err := w.admit(ctx, deletionID)
	if err != nil {
		return false, fault.New(fault.Unavailable, fault.ReasonDatabase, "count a deletion: %w", err)
	}
	return admitted, nil
}

func (w *Window) admit(ctx context.Context, deletionID int64) (admitted bool, err error) {
	tx, err := w.options.DB.BeginTx(ctx, w.isolation())
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()
	now, err := w.lock(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	if _, err := tx.ExecContext(ctx, clampStatement, now); err != nil {
		return false, fmt.Errorf("clamp: %w", err)
	}
	if _, err := tx.ExecContext(ctx, pruneStatement, now-Length.Microseconds()); err != nil {
		return false, fmt.Errorf("prune: %w", err)
	}
	result, err := tx.ExecContext(ctx, admitStatement, deletionID, now, w.options.Limit)
	if err != nil {
		return false, fmt.Errorf("admit: %w", err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("admit: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	return rows > 0, nil
}

// isolation asks Postgres for snapshots per statement, whatever the server's
// default is: what is counted after the lock must be what is true then.
func (w *Window) isolation() *sql.TxOptions {
	if w.options.Server {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// lock makes this transaction the only one that counts until it ends, and
// returns the time since, in UNIX microseconds. SQLite's transactions begin
// with the file's write lock.
func (w *Window) lock(ctx context.Context, tx *sql.Tx) (now int64, err error) {
	if !w.options.Server {
		return w.options.Now().UnixMicro(), nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&now)
	return now, err
}
