// Package database opens the one database that everything durable lives in,
// SQLite or Postgres, brings its tables up to date (River's and ours), and maintains
// a SQLite file when it is told to: Checkpoint and Check. It starts nothing itself.
//
// It must not know what the tables hold: rows belong to the packages that use them.
package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
)

//go:embed sql
var statementFiles embed.FS

// statements are the SQL of this package, as it stands in sql.
type statements struct {
	ActiveBinding, Setting, SettingsBeginningWith, StoreFirstSetting, StoreSetting string
	TableExists, UnreleasedExists                                                  string
	NewestMigration, NewestRiverMigration, SomePausedQueue                         string

	SchemaUsable, SchemaExists, CreateSchema, OwnsSchema         string `only:"postgres"`
	RevokeSchema, RevokeTables, MigrateInSchema                  string `only:"postgres"`
	TableWithoutRights, SchemaRights, OtherWriters, WritersOfAll string `only:"postgres"`
	ForeignKind                                                  string `only:"postgres"`
}

// use sets what statements must know.
func (db *DB) use(target namedsql.Target) error {
	db.SQL = target
	return target.Load(statementFiles, &db.sql)
}

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
	// SQL is what statements must know of it: which schema the tables are in.
	SQL namedsql.Target
	// Main is the handle that writes. On SQLite it has one connection: writers
	// queue here and not at the file's lock.
	Main *sql.DB
	// Reader is a second handle for reading, so that counting a large table
	// never delays a webhook.
	Reader *sql.DB

	sql statements

	// SQLite.
	path         string                // the file
	link         string                // the link that led to path, "" when there was none
	lock         *flock.Flock          // set by Lock
	open         []openFile            // set by Lock
	anchor       *sql.DB               // set by Lock
	damage       atomic.Pointer[error] // what Check found
	integrityOK  atomic.Bool           // whether the last Check found nothing
	truncateRest int                   // calls of Checkpoint that do not truncate

	// Postgres.
	pooled   bool
	listener *pgxpool.Pool // for notifications, nil where none arrive
}

// DefaultSchema is where the tables are on Postgres.
const DefaultSchema = "polar_bridge"

// Open opens the database that url names, `sqlite:PATH` or `postgres://…`. A
// SQLite file is created with mode 0600 when it does not exist, and has no schemas;
// on Postgres all tables are in the schema. No error contains the url, which may hold
// a password.
func Open(ctx context.Context, url, schema string) (*DB, error) {
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openPostgres(ctx, url, schema)
	}
	return nil, errNoScheme
}

// Driver returns River's driver for this database.
func (db *DB) Driver() riverdriver.Driver[*sql.Tx] {
	switch {
	case db.Dialect == SQLite:
		return riversqlite.New(db.Main)
	case !db.Notified():
		return riverdatabasesql.New(db.Main)
	}
	return riverdatabasesql.NewWithPgxListener(db.Main, db.listener)
}

// Pooled reports whether a pooler in front of Postgres lends connections for one
// transaction at a time.
func (db *DB) Pooled() bool { return db.pooled }

// Notified reports whether Postgres tells of new work (LISTEN). Where it does not,
// behind such a pooler too, River asks for work once a second.
func (db *DB) Notified() bool { return db.listener != nil }

// Close closes all handles and ends what Lock began.
func (db *DB) Close() error {
	if db.listener != nil {
		db.listener.Close()
	}
	var errs []error
	for _, handle := range []*sql.DB{db.Reader, db.Main, db.anchor} {
		if handle != nil {
			errs = append(errs, handle.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Unlock())
	}
	return errors.Join(errs...)
}
