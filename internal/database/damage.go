package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// startCheck bounds how long the check of the file may delay the start. On the
// machine of docs/storage.md it is enough for about 30 MB; what is left over is
// checked beside the work.
const startCheck = 100 * time.Millisecond

// reserve is how much of the disk must be free for Ping to succeed.
const reserve = 1 << 20

// Why a SQLite file cannot be used.
var (
	// ErrDamaged says that the file's content is broken.
	ErrDamaged = errors.New("the SQLite file is damaged; nothing was changed: stop polar-bridge, keep the file for examination, " +
		"restore the last backup in its place and remove the -wal and -shm files beside it (docs/storage.md, \"Restore\")")
	// ErrLogWithoutFile says that the file is gone, or empty, but not its log.
	ErrLogWithoutFile = errors.New("the SQLite file is missing or empty, but its -wal file is there, and SQLite would throw that away: " +
		"put the database back where it was; after a restore from a backup, remove the -wal and -shm files (docs/storage.md, \"Restore\")")
)

// Check reads the whole SQLite file and returns ErrDamaged when its structure
// is broken. From then on Ping and Size fail too. It does nothing on Postgres,
// which has checksums of its own.
func (db *DB) Check(ctx context.Context) error {
	if db.Dialect != SQLite {
		return nil
	}
	db.checking.Store(true)
	err := db.integrityCheck(ctx)
	db.checking.Store(false)
	db.whole.Store(err == nil)
	if errors.Is(err, ErrDamaged) {
		db.damage.Store(&err)
	}
	return err
}

// Whole reports whether the last Check has read the whole SQLite file and found
// no damage: not yet while the first one runs beside the work, and never on
// Postgres.
func (db *DB) Whole() bool { return db.whole.Load() }

// integrityCheck walks all tables and indexes and compares them: a flipped bit
// in an index leaves its structure whole and hides rows. Its connection is its
// own: others would answer from what they have in memory.
// https://www.sqlite.org/pragma.html#pragma_integrity_check
func (db *DB) integrityCheck(ctx context.Context) (err error) {
	fresh, err := sql.Open("sqlite", sqliteDSN(db.path, "_pragma=query_only(1)"))
	if err != nil {
		return fmt.Errorf("check SQLite file: %w", err)
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	var verdict string
	err = fresh.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict)
	switch {
	case err != nil:
		return readable(db.path, err)
	case verdict != "ok":
		return damaged(db.path, errors.New(verdict))
	}
	return nil
}

// checkForStart checks as much of the file as startCheck allows, and reports
// whether that was all of it.
func (db *DB) checkForStart(ctx context.Context) (all bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, startCheck)
	defer cancel()
	err = db.Check(bounded)
	if err != nil && bounded.Err() != nil && !errors.Is(err, ErrDamaged) {
		return false, ctx.Err()
	}
	return err == nil, err
}

// healthy says why the file should be sent no more work.
func (db *DB) healthy() error {
	if err := db.damage.Load(); err != nil {
		return *err
	}
	if db.Dialect != SQLite {
		return nil
	}
	if err := db.InPlace(); err != nil {
		return err
	}
	folder := filepath.Dir(db.path)
	if err := writableFolder(folder); err != nil {
		return fmt.Errorf("the folder of the database cannot be written: %s: %w", folder, err)
	}
	if free, known := freeSpace(folder); known && free < reserve {
		return fmt.Errorf("the disk of the database is full: %d bytes are free in %s", free, folder)
	}
	return nil
}

// readable wraps what SQLite says when it cannot read the file.
func readable(path string, err error) error {
	if failed := (*sqlite.Error)(nil); errors.As(err, &failed) {
		const primary = 0xff // the rest of a code tells variants apart
		switch failed.Code() & primary {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return damaged(path, err)
		}
	}
	return fmt.Errorf("open SQLite file %s: %w", path, err)
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
}

// checkLog refuses a log whose database is gone. A database is never empty once
// it has a log.
func checkLog(path string) error {
	log, err := fileSize(path + "-wal")
	if err != nil || log == 0 {
		return nil //nolint:nilerr // no log, nothing to lose
	}
	size, err := fileSize(path)
	if (err == nil && size == 0) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, ErrLogWithoutFile)
	}
	return nil
}
