package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
)

// ErrNotInPlace says that the files which SQLite writes to are no longer where
// the next start looks for them: what is committed now would be lost.
var ErrNotInPlace = errors.New("the SQLite file, or the -wal or -shm file beside it, was removed or replaced while polar-bridge runs; " +
	"webhooks are refused: stop polar-bridge, put the file where it belongs and start it again (docs/storage.md, \"When the file is gone\")")

// openFile is one that SQLite has open.
type openFile struct {
	path string
	info os.FileInfo
}

// rememberPlace notes which files SQLite has open. Until release is called a
// connection of its own keeps SQLite from making its log anew, as it may when the
// last one is closed.
func (db *DB) rememberPlace(ctx context.Context) (release func() error, err error) {
	anchor, err := sql.Open("sqlite", sqliteDSN(db.path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open SQLite file: %w", err)
	}
	var tables int // reading opens the log
	if err := anchor.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return nil, errors.Join(readable(db.path, err), anchor.Close())
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.path + suffix)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("find SQLite file: %w", err), anchor.Close())
		}
		db.open = append(db.open, openFile{db.path + suffix, info})
	}
	if db.link != "" { // it may be made to lead elsewhere
		db.open = append(db.open, openFile{db.link, db.open[0].info})
	}
	return anchor.Close, nil
}

// InPlace returns ErrNotInPlace when what was committed is not where the next
// start looks for it. It knows after Lock, costs a look at three files, and at the link to them if there is one, and
// returns nil on Postgres.
func (db *DB) InPlace() error {
	for _, file := range db.open {
		now, err := os.Stat(file.path)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", file.path, ErrNotInPlace, err)
		}
		if !os.SameFile(file.info, now) {
			return fmt.Errorf("%s: %w", file.path, ErrNotInPlace)
		}
	}
	return nil
}
