package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Why a SQLite file cannot be served.
var (
	// ErrLocked says that another process serves it.
	ErrLocked = errors.New("another polar-bridge serves this SQLite file; stop it, or use Postgres to run several")
	// ErrNotInPlace says that the files which SQLite writes to are no longer where
	// the next start looks for them: what is committed now would be lost.
	ErrNotInPlace = errors.New("the SQLite file, or the -wal or -shm file beside it, was removed or replaced while polar-bridge runs; " +
		"webhooks are refused: stop polar-bridge, put the file where it belongs and start it again (docs/storage.md, \"When the file is gone\")")
)

// startCheck bounds how long the integrity check may delay the start. On the machine
// of docs/storage.md it is enough for about 30 MB.
const startCheck = 100 * time.Millisecond

// Lock makes this process the only one that serves a SQLite file, until Close. It
// refuses a damaged file, as far as a short check can tell (IntegrityOK says whether
// it got to the end), and remembers which files are open. It starts nothing, and
// does nothing on Postgres, where replicas share.
func (db *DB) Lock(ctx context.Context) error {
	if db.Dialect != SQLite {
		return nil
	}
	lock := flock.New(db.path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	switch {
	case err != nil:
		return fmt.Errorf("lock SQLite file: %w", err)
	case !ok:
		return ErrLocked
	}
	db.lock = lock
	if err := writeTemporaryFile(ctx, filepath.Dir(db.path)); err != nil {
		return errors.Join(err, db.healthy())
	}
	bounded, cancel := context.WithTimeout(ctx, startCheck)
	defer cancel()
	if err := db.Check(bounded); err != nil && (bounded.Err() == nil || errors.Is(err, ErrDamaged)) {
		return err
	}
	return db.rememberFiles(ctx)
}

// openFile is one that SQLite has open.
type openFile struct {
	path string
	info os.FileInfo
}

// rememberFiles notes which files SQLite has open. Until Close a connection of its
// own keeps SQLite from making a new WAL, as it may when the last one is closed.
func (db *DB) rememberFiles(ctx context.Context) (err error) {
	if db.anchor, err = sql.Open("sqlite", sqliteDSN(db.path, "_pragma=query_only(1)")); err != nil {
		return fmt.Errorf("open SQLite file: %w", err)
	}
	var tables int // reading opens the WAL
	if err := db.anchor.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return readable(db.path, err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.path + suffix)
		if err != nil {
			return fmt.Errorf("find SQLite file: %w", err)
		}
		db.open = append(db.open, openFile{db.path + suffix, info})
	}
	if db.link != "" { // it may be made to lead elsewhere
		db.open = append(db.open, openFile{db.link, db.open[0].info})
	}
	return nil
}

// InPlace returns ErrNotInPlace when what was committed is not where the next
// start looks for it. It knows after Lock, looks at three files and at a link to
// them, and returns nil on Postgres.
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
