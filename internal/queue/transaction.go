package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// beginAgain is the pause before a transaction that did not begin is tried again.
const beginAgain = 50 * time.Millisecond

// Begin begins a transaction. While that fails nothing was sent, so it is tried
// until ctx ends: a connection that the server has closed is no reason for 503.
func Begin(ctx context.Context, db *sql.DB, o *sql.TxOptions) (*sql.Tx, error) {
	for {
		tx, err := db.BeginTx(ctx, o)
		if err == nil {
			return tx, nil
		}
		again := time.NewTimer(beginAgain)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, fmt.Errorf("begin: %w", err)
		}
	}
}

// undone reports whether Postgres has undone a transaction only because of others
// that ran at the same time: a deadlock, or what could not be serialized.
// https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
func undone(err error) bool {
	server, answered := errors.AsType[*pgconn.PgError](err)
	return answered && (server.Code == "40P01" || server.Code == "40001")
}

// transactTimeout is how long an act waits for SQLite's lock, which servers take
// for milliseconds at a time.
const transactTimeout = 30 * time.Second

// Transact runs work in one transaction. Until it began nothing was done, so a
// busy database is asked again. work runs again, too, where Postgres has undone it
// because of others.
func Transact(ctx context.Context, db *sql.DB, s *Store, work func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, transactTimeout)
	defer cancel()
	return transact(ctx, db, s.Transaction(), func(tx *sql.Tx) error { return work(ctx, tx) })
}

// transact runs work in one transaction, and again from its beginning until ctx ends
// for as long as Postgres undoes that because of others.
func transact(ctx context.Context, db *sql.DB, o *sql.TxOptions, work func(tx *sql.Tx) error) error {
	err := transactOnce(ctx, db, o, work)
	for undone(err) && Sleep(ctx, beginAgain) == nil {
		err = transactOnce(ctx, db, o, work)
	}
	return err
}

func transactOnce(ctx context.Context, db *sql.DB, o *sql.TxOptions, work func(tx *sql.Tx) error) (err error) {
	tx, err := Begin(ctx, db, o)
	if err != nil {
		return err
	}
	defer func() {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Sleep waits, and returns an error when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
}
