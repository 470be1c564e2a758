// Package database opens the one database that everything durable lives in,
// SQLite or Postgres, and brings its tables up to date: River's and ours.
//
// It must not know what is stored: rows belong to queue and slots.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// Dialect is the kind of database.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// DB is an open database.
type DB struct {
	// Dialect says which kind it is.
	Dialect Dialect
	// Main is the handle that writes. On SQLite it has one connection: writers
	// queue here and not at the file's lock.
	Main *sql.DB
	// Reader is a second handle for reading, so that counting a large table
	// never delays a webhook.
	Reader *sql.DB

	path      string          // SQLite's file, "" on Postgres
	link      string          // the link that led to path, "" when there was none
	open      []openFile      // set by Lock
	release   func() error    // ends what Lock began but the lock, nil before
	config    *pgx.ConnConfig // how to connect to Postgres, nil on SQLite
	pooled    bool            // a transaction pooler is in front of Postgres
	listener  *pgxpool.Pool   // Postgres' notifications, nil on SQLite and when pooled
	newDriver func() riverdriver.Driver[*sql.Tx]
	damage    atomic.Pointer[error] // what Check found
	whole     atomic.Bool           // whether the last Check found nothing
	checking  atomic.Bool           // whether one reads the file now
}

// Open opens the database that url names, `sqlite:PATH` or `postgres://…`. A
// SQLite file is created with mode 0600 when it does not exist. No error
// contains the url, which may hold a password.
func Open(ctx context.Context, url string) (*DB, error) {
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openPostgres(ctx, url)
	}
	return nil, errNoScheme
}

// Driver returns River's driver for this database.
func (db *DB) Driver() riverdriver.Driver[*sql.Tx] { return db.newDriver() }

// Pooled reports whether a pooler in front of Postgres lends connections for one
// transaction at a time. Then nothing can be listened for, and River asks for work
// once a second.
func (db *DB) Pooled() bool { return db.pooled }

// Ping reports whether the database answers and, on SQLite, whether it can take
// more: its files are in place, its disk is not full and Check has found no damage.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.Main.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return db.healthy()
}

// Close closes all handles.
func (db *DB) Close() error {
	var cared error
	if db.release != nil {
		cared = db.release()
	}
	if db.listener != nil {
		db.listener.Close()
	}
	return errors.Join(cared, db.Reader.Close(), db.Main.Close())
}

// Size returns how many bytes the SQLite file and its log occupy, and 0 on
// Postgres, which has its own exporters. It fails once Check has found damage or
// the files are not in place, so that whoever watches the size hears of it.
func (db *DB) Size() (int64, error) {
	if db.Dialect != SQLite {
		return 0, nil
	}
	if err := db.damage.Load(); err != nil {
		return 0, *err
	}
	if err := db.InPlace(); err != nil {
		return 0, err
	}
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		size, err := fileSize(db.path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("size of database: %w", err)
		}
		total += size
	}
	return total, nil
}

func sqliteDriver(db *sql.DB) func() riverdriver.Driver[*sql.Tx] {
	return func() riverdriver.Driver[*sql.Tx] { return riversqlite.New(db) }
}

func pollingDriver(db *sql.DB) func() riverdriver.Driver[*sql.Tx] {
	return func() riverdriver.Driver[*sql.Tx] { return riverdatabasesql.New(db) }
}

func postgresDriver(db *sql.DB, listener *pgxpool.Pool) func() riverdriver.Driver[*sql.Tx] {
	return func() riverdriver.Driver[*sql.Tx] {
		return riverdatabasesql.NewWithPgxListener(db, listener)
	}
}
