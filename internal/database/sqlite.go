package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/database/stmtcache"
)

// busyTimeout is how long a statement waits for another process' lock, less than
// a webhook waits for the database.
const busyTimeout = 1500 * time.Millisecond

// preparedStatements is how many statements a connection keeps, more than River
// and we have in regular use.
const preparedStatements = 64

// readerConnections is how many readers may work beside the writer: two may
// count a large table, one checkpoints the WAL, and one is left for quick reads.
const readerConnections = 4

func openSQLite(ctx context.Context, rest string) (*DB, error) {
	path, err := sqlitePath(rest)
	if err != nil {
		return nil, err
	}
	if err := refuseWALWithoutFile(path); err != nil {
		return nil, err
	}
	if err := createPrivate(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder of DATABASE_URL does not exist: make %q, or name another", filepath.Dir(path))
	} else if err != nil {
		return nil, fmt.Errorf("create SQLite file: %w: name in DATABASE_URL a file that this user may write, in a folder of its own", err)
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
	// What a statement of many rows needs to undo it, SQLite keeps in memory and not in a
	// file: the pages that one batch changes. https://www.sqlite.org/pragma.html#pragma_temp_store
	main, err := openCached(sqliteDSN(path, fmt.Sprintf("_txlock=immediate&_pragma=temp_store(MEMORY)&_pragma=wal_autocheckpoint(%d)", truncateFrom)))
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

	db := &DB{Dialect: SQLite, Main: main, Reader: reader, path: path, link: link}
	err = db.use(sqliteTarget())
	if err == nil {
		err = db.checkDurable(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.healthy(), db.Close()) // SQLite says "disk I/O error" of a full disk
	}
	return db, nil
}

// sqliteTarget names the one schema that a SQLite file has.
func sqliteTarget() namedsql.Target { return namedsql.Target{Schema: "main"} }

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
// journal_size_limit gives the WAL's space back when it starts over after a burst.
// No connection creates the file: one that was moved away may be moved back.
func sqliteDSN(path, extra string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?mode=rw&_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
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

// createPrivate makes sure that only the owner reads the file: it holds users' ids.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return file.Close()
}
