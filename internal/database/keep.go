package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// lookEvery is how often the log's length is looked at.
	lookEvery = 100 * time.Millisecond
	// moveFrom is how many pages of the log are worth bringing into the file, as
	// many as SQLite would by itself, but at the end of a commit that waits for it:
	// 4 MB.
	moveFrom = 1000
	// anewFrom is from how many pages on writers are made to begin the log anew, for
	// which they must wait a moment: 32 MB.
	anewFrom = 8000
	// passes is how often the log is brought into the file beside the writers
	// before they wait for the rest. Each leaves only what they wrote meanwhile.
	passes = 5
	// logLimit is from how many pages on the log is emptied by force, 64 MB. It is
	// only as long when one reader overlaps the next: then it grows without end.
	// Where nobody keeps the log, SQLite empties it from here on.
	logLimit = 16000
	// Writers wait for readers when the log is emptied by force: shortGrace at
	// first, and twice as long after each time that this was not enough, up to
	// longGrace, until the log stays short.
	shortGrace = 50 * time.Millisecond
	longGrace  = 200 * time.Millisecond
	// forceEvery is how often that is tried, and longReader how long a reader that
	// did not end in longGrace, such as a backup, is left alone.
	forceEvery = 250 * time.Millisecond
	longReader = 5 * time.Second
	// checkEvery is how often the whole file is checked.
	checkEvery = 24 * time.Hour
)

// Maintenance is what serve does for a SQLite file beside its work.
type Maintenance string

// The kinds of maintenance.
const (
	// Checkpoint brings the log into the file and keeps it short.
	Checkpoint Maintenance = "checkpoint"
	// IntegrityCheck reads the whole file.
	IntegrityCheck Maintenance = "integrity_check"
)

// keep looks after the SQLite file until stop is called: it bounds the log and
// checks the file, once a day and at once when the start could not. What fails is
// told each time it was tried, for the log up to ten times a second.
func (db *DB) keep(checked bool, failed func(Maintenance, error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	tell := func(what Maintenance, err error) {
		if err != nil && ctx.Err() == nil && failed != nil {
			failed(what, err)
		}
	}
	check := func() { tell(IntegrityCheck, db.Check(ctx)) }
	var running sync.WaitGroup
	running.Go(func() { db.boundLog(ctx, func(err error) { tell(Checkpoint, err) }) })
	running.Go(func() {
		if !checked {
			check()
		}
		every(ctx, checkEvery, check)
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// boundLog keeps the log short: beside the writers as long as that is enough, and
// by force when it has grown beyond logLimit.
func (db *DB) boundLog(ctx context.Context, tell func(error)) {
	look, force := time.NewTicker(lookEvery), time.NewTicker(forceEvery)
	defer look.Stop()
	defer force.Stop()
	patience, grace := 0, shortGrace
	for {
		select {
		case <-look.C:
			tell(db.shortenLog(ctx))
		case <-force.C:
			if patience--; patience > 0 || db.checking.Load() { // the check reads for longer than writers would wait
				continue
			}
			short, err := db.emptyLog(ctx, grace)
			tell(err)
			switch {
			case err != nil || short:
				grace = shortGrace
			case grace < longGrace:
				grace *= 2
			default:
				patience = int(longReader / forceEvery) // a longer log is no harm
			}
		case <-ctx.Done():
			return
		}
	}
}

// shortenLog brings the log into the file, beside the writers, who would
// otherwise wait for the disk at the end of a commit: that is one page of the
// index of idempotency keys for each deletion, when many are kept. A log that is
// in the file from end to end is begun anew by the next writer. Under load there
// is always some more, so that from anewFrom on they wait for the last of it.
func (db *DB) shortenLog(ctx context.Context) error {
	log, err := checkpoint(ctx, db.Reader, "NOOP")
	if err != nil || log.pages-log.moved < moveFrom {
		return err
	}
	for range passes {
		log, err = checkpoint(ctx, db.Reader, "PASSIVE")
		if err != nil || log.pages < anewFrom || log.moved < log.pages { // the latter: a reader needs the rest
			return err
		}
	}
	_, err = checkpoint(ctx, db.Main, "PASSIVE")
	return err
}

// emptyLog empties a log that is too long and gives its space back. It takes its
// turn among the writers, and they wait, at most grace for readers. It reports
// whether the log is short now.
func (db *DB) emptyLog(ctx context.Context, grace time.Duration) (short bool, err error) {
	log, err := checkpoint(ctx, db.Reader, "NOOP")
	if err != nil || log.pages < logLimit {
		return true, err
	}
	if _, err = checkpoint(ctx, db.Reader, "PASSIVE"); err != nil { // most of it, beside them
		return false, err
	}
	conn, err := db.Main.Conn(ctx)
	if err != nil {
		return false, fmt.Errorf("empty the log: %w", err)
	}
	defer conn.Close() //nolint:errcheck // gives it back to the pool
	defer func() { err = errors.Join(err, waitFor(context.WithoutCancel(ctx), conn, busyTimeout)) }()
	if err := waitFor(ctx, conn, grace); err != nil {
		return false, err
	}
	log, err = checkpoint(ctx, conn, "TRUNCATE")
	return log.busy == 0, err
}

// walLog is how many pages are in the log, and how many of them in the file too.
type walLog struct{ busy, pages, moved int }

// connection is a handle, or one of its connections.
type connection interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkpoint needs SQLite 3.51 for "NOOP", which only looks.
// https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
func checkpoint(ctx context.Context, on connection, mode string) (log walLog, err error) {
	err = on.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&log.busy, &log.pages, &log.moved)
	if err != nil {
		return walLog{}, fmt.Errorf("bring the log into the file: %w", err)
	}
	return log, nil
}

// waitFor sets how long the connection waits for others.
func waitFor(ctx context.Context, conn *sql.Conn, wait time.Duration) error {
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", wait.Milliseconds())); err != nil {
		return fmt.Errorf("set busy timeout: %w", err)
	}
	return nil
}

func every(ctx context.Context, interval time.Duration, act func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			act()
		case <-ctx.Done():
			return
		}
	}
}
