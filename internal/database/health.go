package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// reserve is how many bytes of the disk must be free for Ping to succeed.
const reserve = 1 << 20

// Why a SQLite file cannot be used.
var (
	// ErrDamaged says that the file's content is broken.
	ErrDamaged = errors.New("the SQLite file is damaged; nothing was changed: stop polar-bridge, keep the file for examination, " +
		"restore the last backup in its place and remove the -wal and -shm files beside it (docs/storage.md, \"Restore\")")
	// ErrWALWithoutFile says that the file is gone, or empty, but not its WAL.
	ErrWALWithoutFile = errors.New("the SQLite file is missing or empty, but its -wal file is there, and SQLite would throw that away: " +
		"put the database back where it was; after a restore from a backup, remove the -wal and -shm files (docs/storage.md, \"Restore\")")
)

// Ping reports whether the database answers and, on SQLite, whether it can take
// more: its files are in place, its disk is not full and Check has found no damage.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.Main.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return db.healthy()
}

// Size returns how many bytes the SQLite file and its WAL occupy, and 0 on
// Postgres, which has its own exporters. It fails once Check has found damage or
// the files are not in place, so that whoever watches the size hears of it.
func (db *DB) Size() (total int64, err error) {
	if db.Dialect != SQLite {
		return 0, nil
	}
	if err := db.intact(); err != nil {
		return 0, err
	}
	for _, suffix := range []string{"", "-wal"} {
		size, err := fileSize(db.path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("size of database: %w", err)
		}
		total += size
	}
	return total, nil
}

// intact says why what is in the file cannot be relied on.
func (db *DB) intact() error {
	if err := db.damage.Load(); err != nil {
		return *err
	}
	return db.InPlace()
}

// healthy says why the file should be sent no more work.
func (db *DB) healthy() error {
	if err := db.intact(); err != nil || db.Dialect != SQLite {
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

// refuseWALWithoutFile refuses a WAL whose database is gone. A database is never
// empty once it has one.
func refuseWALWithoutFile(path string) error {
	wal, err := fileSize(path + "-wal")
	if err != nil || wal == 0 {
		return nil //nolint:nilerr // no WAL, nothing to lose
	}
	size, err := fileSize(path)
	if (err == nil && size == 0) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, ErrWALWithoutFile)
	}
	return nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
