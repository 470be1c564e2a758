package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// CheckpointEvery is how long serve waits between two checkpoints: so long that
	// they cost nothing, and so short that a burst does not fill a small disk.
	CheckpointEvery = 100 * time.Millisecond
	// CheckEvery is how long serve waits between two integrity checks.
	CheckEvery = 24 * time.Hour

	// pageSize is that of SQLite's pages and of what the WAL holds of each, in bytes.
	pageSize = 4096 + 24
	// truncateFrom is from how many pages on the WAL is truncated: 64 MB.
	// Without Checkpoint, SQLite itself begins there.
	truncateFrom = 16_000
	// truncateWait is how long writers wait for readers then.
	truncateWait = 100 * time.Millisecond
	// truncateRest is how many calls of Checkpoint leave out the truncation after one
	// that a reader prevented, such as a backup: a longer WAL does no harm.
	truncateRest = 50
)

// Checkpoint copies the WAL of the SQLite file into the file, without making anyone
// wait (passive). Once all of it is copied, the next writer starts it over; under
// constant load that does not happen, so that a WAL of more than 64 MB, or of more
// than the disk has left, is truncated, and writers wait a moment. On a disk that
// is full nothing can be copied any more. It is called by one goroutine, and does nothing on
// Postgres.
func (db *DB) Checkpoint(ctx context.Context) error {
	if db.Dialect != SQLite {
		return nil
	}
	wal, err := checkpoint(ctx, db.Reader, "PASSIVE")
	if err != nil || wal.pages < truncateFrom && !db.fillsDisk(wal) {
		return err
	}
	if db.truncateRest > 0 {
		db.truncateRest--
		return nil
	}
	return db.truncateWAL(ctx)
}

// fillsDisk reports whether the WAL takes more of the disk than is left on it.
func (db *DB) fillsDisk(wal walState) bool {
	free, known := freeSpace(filepath.Dir(db.path))
	return known && wal.pages > 0 && uint64(wal.pages)*pageSize > free
}

// truncateWAL waits its turn among the writers, and they wait for it.
func (db *DB) truncateWAL(ctx context.Context) (err error) {
	conn, err := db.Main.Conn(ctx)
	if err != nil {
		return fmt.Errorf("truncate the WAL: %w", err)
	}
	defer conn.Close() //nolint:errcheck // gives it back to the pool
	defer func() { err = errors.Join(err, setBusyTimeout(context.WithoutCancel(ctx), conn, busyTimeout)) }()
	if err := setBusyTimeout(ctx, conn, truncateWait); err != nil {
		return err
	}
	wal, err := checkpoint(ctx, conn, "TRUNCATE")
	if wal.busy {
		db.truncateRest = truncateRest
	}
	return err
}

// walState is what a checkpoint found: whether somebody prevented it, and how many
// pages are in the WAL.
type walState struct {
	busy  bool
	pages int
}

// checkpoint runs one. https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
func checkpoint(ctx context.Context, on interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, mode string,
) (wal walState, err error) {
	var copied int
	err = on.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&wal.busy, &wal.pages, &copied)
	if err != nil {
		return walState{}, fmt.Errorf("checkpoint the WAL: %w", err)
	}
	return wal, nil
}

func setBusyTimeout(ctx context.Context, conn *sql.Conn, timeout time.Duration) error {
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", timeout.Milliseconds())); err != nil {
		return fmt.Errorf("set busy timeout: %w", err)
	}
	return nil
}

// Check reads the whole SQLite file and returns ErrDamaged when its structure
// is broken. From then on Ping and Size fail too. It does nothing on Postgres,
// which has checksums of its own.
func (db *DB) Check(ctx context.Context) error {
	if db.Dialect != SQLite {
		return nil
	}
	err := integrityCheck(ctx, db.path, sqliteDSN(db.path, "_pragma=query_only(1)"))
	db.integrityOK.Store(err == nil)
	if errors.Is(err, ErrDamaged) {
		db.damage.Store(&err)
	}
	return err
}

// IntegrityOK reports whether the last Check read the whole SQLite file and found
// no damage. It is always false on Postgres.
func (db *DB) IntegrityOK() bool { return db.integrityOK.Load() }

// integrityCheck walks all tables and indexes and compares them: a flipped bit
// in an index leaves its structure intact and hides rows. Its connection is its
// own: others would answer from what they have in memory.
// https://www.sqlite.org/pragma.html#pragma_integrity_check
func integrityCheck(ctx context.Context, path, dsn string) (err error) {
	fresh, err := sql.Open("sqlite", dsn)
	if err != nil {
		return fmt.Errorf("check SQLite file: %w", err)
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	var found string
	err = fresh.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found)
	switch {
	case err != nil:
		return readable(path, err)
	case found != "ok":
		return damaged(path, errors.New(found))
	}
	return nil
}
