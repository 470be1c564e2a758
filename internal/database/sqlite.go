package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/stmtcache"
)

// ErrLocked says that another process serves the same SQLite file.
var ErrLocked = errors.New("another polar-bridge serves this SQLite file; stop it, or use Postgres to run several")

// busyTimeout is how long a statement waits for another process' lock, less than
// a webhook waits for the database.
const busyTimeout = 1500 * time.Millisecond

// preparedStatements is how many statements a connection keeps, more than River
// and we have in regular use.
const preparedStatements = 64

// readerConnections is how many readers may work beside the writer: two may
// count a large table, one brings the log into the file, and one is left for
// quick looks.
const readerConnections = 4

func openSQLite(ctx context.Context, rest string) (*DB, error) {
	path, err := sqlitePath(rest)
	if err != nil {
		return nil, err
	}
	if err := checkLog(path); err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("create SQLite file: %w", err)
	}
	// A link to the file is the file: what SQLite makes lies beside the latter.
	link := path
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, fmt.Errorf("find SQLite file: %w", err)
	}
	if link == path {
		link = ""
	}
	if err := putTemporaryFilesIn(ctx, filepath.Dir(path)); err != nil {
		return nil, err
	}
	main, err := openCached(sqliteDSN(path, fmt.Sprintf("_txlock=immediate&_pragma=wal_autocheckpoint(%d)", logLimit)))
	if err != nil {
		return nil, fmt.Errorf("open SQLite file: %w", err)
	}
	// One connection: SQLite has one writer, and a queue in front of it is
	// fairer and cheaper than SQLITE_BUSY behind it.
	main.SetMaxOpenConns(1)
	reader, err := openCached(sqliteDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite file for reading: %w", err), main.Close())
	}
	reader.SetMaxOpenConns(readerConnections)
	reader.SetMaxIdleConns(readerConnections)

	db := &DB{Dialect: SQLite, Main: main, Reader: reader, path: path, link: link, newDriver: sqliteDriver(main)}
	if err := db.checkDurable(ctx); err != nil {
		return nil, errors.Join(err, db.healthy(), db.Close()) // SQLite says "disk I/O error" of a full disk
	}
	return db, nil
}

// openCached returns a handle that keeps its statements prepared: without that,
// a third of the CPU goes into parsing and planning the same few again.
func openCached(dsn string) (*sql.DB, error) {
	plain, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(stmtcache.New(plain, preparedStatements)), nil
}

// sqliteDSN asks for what "202 means on disk" rests on: a write-ahead log that
// is synced at every commit (https://www.sqlite.org/pragma.html#pragma_synchronous).
// journal_size_limit gives the log's space back after a burst.
func sqliteDSN(path, extra string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=journal_size_limit(67108864)&" + extra
}

// checkDurable refuses a file system on which the pragmas did not take.
func (db *DB) checkDurable(ctx context.Context) error {
	var mode string
	if err := db.Main.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return readable(db.path, err)
	}
	var synchronous int
	if err := db.Main.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return readable(db.path, err)
	}
	const full = 2
	if mode != "wal" || synchronous < full {
		return fmt.Errorf("SQLite file %s is not durable (journal_mode=%s, synchronous=%d): put it on a local disk", db.path, mode, synchronous)
	}
	return nil
}

// Lock makes this process the only one that serves a SQLite file, until
// release is called. It refuses a damaged file, as far as a short look can
// tell, and looks after the file until then: the rest of it is checked, and its
// log is kept short; failed hears of what fails then, nil is silent. It does nothing
// on Postgres, where replicas share.
func (db *DB) Lock(failed func(Maintenance, error)) (release func() error, err error) {
	if db.Dialect != SQLite {
		return func() error { return nil }, nil
	}
	lock := flock.New(db.path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock SQLite file: %w", err)
	}
	if !ok {
		return nil, ErrLocked
	}
	stop, err := db.takeCare(failed)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	db.release = sync.OnceValue(stop)
	return func() error { return errors.Join(db.release(), lock.Unlock()) }, nil
}

// takeCare checks the file as far as a start may take, and looks after it until
// stop is called.
func (db *DB) takeCare(failed func(Maintenance, error)) (stop func() error, err error) {
	ctx := context.Background()
	if err := writeTemporaryFile(ctx, filepath.Dir(db.path)); err != nil {
		return nil, errors.Join(err, db.healthy())
	}
	checked, err := db.checkForStart(ctx)
	if err != nil {
		return nil, err
	}
	release, err := db.rememberPlace(ctx)
	if err != nil {
		return nil, err
	}
	stopKeeping := db.keep(checked, failed)
	return func() error {
		stopKeeping()
		return release()
	}, nil
}

// createPrivate makes sure that only the owner reads the file: it holds users' ids.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return file.Close()
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
