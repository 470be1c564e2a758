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
	// lookEvery is how often the log's size is looked at.
	lookEvery = time.Second
	// logLimit is the size from which the log is emptied by force. SQLite empties
	// it by itself at 4 MB, but not as long as one reader overlaps the next: then
	// the log grows without end. Counting a million rows lets it grow to half of
	// this, and SQLite catches up.
	logLimit = 32 << 20
	// Writers wait for readers when the log is emptied: shortGrace at first, and
	// twice as long after each time that this was not enough, up to longGrace, until
	// the log stays short.
	shortGrace = 50 * time.Millisecond
	longGrace  = 200 * time.Millisecond
	// longReader is how long a reader that did not end in that time, such as a
	// backup, is left alone.
	longReader = 5 * time.Second
	// checkEvery is how often the whole file is checked.
	checkEvery = 24 * time.Hour
)

// keep looks after the SQLite file until stop is called: it bounds the log and
// checks the file, once a day and at once when the start could not.
func (db *DB) keep(checked bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { db.boundLog(ctx) })
	running.Go(func() {
		if !checked {
			_ = db.Check(ctx) // remembered for Ping and Size
		}
		every(ctx, checkEvery, func() { _ = db.Check(ctx) })
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// boundLog empties the log when it has grown beyond logLimit.
func (db *DB) boundLog(ctx context.Context) {
	patience, grace := 0, shortGrace
	every(ctx, lookEvery, func() {
		if patience--; patience > 0 {
			return
		}
		size, err := fileSize(db.path + "-wal")
		if err != nil || size < logLimit {
			grace = shortGrace
			return
		}
		emptied, err := db.emptyLog(ctx, grace)
		switch {
		case err == nil && emptied:
		case grace < longGrace:
			grace *= 2
		default:
			patience = int(longReader / lookEvery) // a longer log is no harm; the disk's space is watched
		}
	})
}

// emptyLog brings the log into the file and gives its space back. Most is brought
// there beside the writers; for the rest it takes its turn among them, and they
// wait. https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
func (db *DB) emptyLog(ctx context.Context, grace time.Duration) (emptied bool, err error) {
	if _, err := db.Reader.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return false, fmt.Errorf("shorten the log: %w", err)
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
	var busy, frames, moved int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return false, fmt.Errorf("empty the log: %w", err)
	}
	return busy == 0, nil
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
