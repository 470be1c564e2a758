package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationTable keeps goose's versions apart from another program's.
const migrationTable = "polar_bridge_migrations"

// migrationLock is the key of the advisory lock that makes replicas migrate
// one after the other.
const migrationLock = 7362541889124710

const (
	// lockAgain is the pause before the lock is tried again. Waiting in the database
	// would keep one of its connections, which the one who migrates may need.
	lockAgain = 100 * time.Millisecond
	// sayWaiting is after how long a start says that it waits.
	sayWaiting = time.Second
)

// Why a database cannot be used as it is.
var (
	// ErrNotMigrated says that tables are missing or old.
	ErrNotMigrated = errors.New("the database's tables are not up to date; run: polar-bridge migrate")
	// ErrNewerSchema says that a newer program has migrated the database.
	ErrNewerSchema = errors.New("the database was migrated by a newer polar-bridge; start that version, or restore the backup made before the upgrade")
	// ErrUnreleasedSchema says that a program from before 0.1.0 made the tables.
	ErrUnreleasedSchema = errors.New("the database was made by a polar-bridge from before 0.1.0, and its deletions cannot be taken over; let that version finish them, then start with a new database")
)

// Migrate brings River's tables and ours up to date. Several replicas may call
// it at once: one migrates, and the others wait until it is done, saying so with
// waiting, once, when that takes longer than a second; nil is silent. It refuses a
// database that a newer program has migrated.
func (db *DB) Migrate(ctx context.Context, waiting func()) error {
	for tries := 1; ; tries++ {
		if err := db.CheckMigrated(ctx); !errors.Is(err, ErrNotMigrated) {
			return err
		}
		unlock, err := db.lockMigrations(ctx)
		if err != nil {
			return err
		}
		if unlock != nil {
			return errors.Join(db.migrate(ctx), unlock())
		}
		if waiting != nil && time.Duration(tries)*lockAgain > sayWaiting {
			waiting()
			waiting = nil
		}
		select {
		case <-time.After(lockAgain):
		case <-ctx.Done():
			return fmt.Errorf("wait for another migration: %w", context.Cause(ctx))
		}
	}
}

// migrate does it, unless somebody has done so since we looked.
func (db *DB) migrate(ctx context.Context) error {
	if err := db.CheckMigrated(ctx); !errors.Is(err, ErrNotMigrated) {
		return err
	}
	if err := db.makeSchema(ctx); err != nil {
		return err
	}
	river, ours, err := db.migrators()
	if err != nil {
		return err
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue's tables: %w", db.explain(ctx, err))
	}
	if _, err := ours.Up(ctx); err != nil {
		return fmt.Errorf("migrate tables: %w", db.explain(ctx, err))
	}
	return db.revoke(ctx, db.sql.RevokeTables)
}

// makeSchema makes the schema on Postgres, unless it is there, for nobody else to use.
func (db *DB) makeSchema(ctx context.Context) error {
	if db.Dialect != Postgres {
		return nil
	}
	var there bool
	if err := db.Main.QueryRowContext(ctx, db.sql.SchemaExists).Scan(&there); err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if !there {
		if _, err := db.Main.ExecContext(ctx, db.sql.CreateSchema); err != nil {
			return fmt.Errorf("make the schema %s: %w", db.SQL.Schema, db.explain(ctx, err))
		}
	}
	return db.revoke(ctx, db.sql.RevokeSchema)
}

// revoke takes rights from PUBLIC. Who does not own the schema cannot; whether others
// may write is looked at when serve starts.
func (db *DB) revoke(ctx context.Context, statement string) error {
	if db.Dialect != Postgres {
		return nil
	}
	var owned bool
	err := db.Main.QueryRowContext(ctx, db.sql.OwnsSchema).Scan(&owned)
	if err == nil && owned {
		_, err = db.Main.ExecContext(ctx, statement)
	}
	if err != nil {
		return fmt.Errorf("revoke the rights of PUBLIC: %w", err)
	}
	return nil
}

func (db *DB) migrators() (*rivermigrate.Migrator[*sql.Tx], *goose.Provider, error) {
	config := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	table := migrationTable
	if db.Dialect == Postgres {
		config.Schema, table = db.SQL.Schema, db.SQL.Schema+"."+migrationTable
	}
	river, err := rivermigrate.New(db.Driver(), config)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	dialect, id, storage := goose.DialectSQLite3, "id integer PRIMARY KEY AUTOINCREMENT", ""
	if db.Dialect == Postgres {
		// A row is changed several times before it is done: a version that fits into the
		// row's own page needs no new entry in each index.
		// https://www.postgresql.org/docs/current/storage-hot.html
		dialect, id, storage = goose.DialectPostgres, "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "WITH (fillfactor = 50)"
	}
	steps, err := migrationSteps(strings.NewReplacer("{id}", id, "{storage}", storage), db.sql.MigrateInSchema)
	if err != nil {
		return nil, nil, err
	}
	ours, err := goose.NewProvider(dialect, db.Main, nil,
		goose.WithTableName(table), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
	if err != nil {
		return nil, nil, fmt.Errorf("prepare migrations: %w", err)
	}
	return river, ours, nil
}

// migrationSteps reads the migrations, whose text is the same for both dialects
// but for what words replaces. first, unless it is "", begins each transaction.
func migrationSteps(words *strings.Replacer, first string) ([]*goose.Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var steps []*goose.Migration
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("number migrations: %w", err)
		}
		statements := words.Replace(string(text))
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			for _, statement := range []string{first, statements} {
				if _, err := tx.ExecContext(ctx, statement); statement != "" && err != nil {
					return err
				}
			}
			return nil
		}}, nil))
	}
	return steps, nil
}

// lockMigrations tries to become the one who migrates on Postgres, and returns nil
// when somebody else is. The lock is a transaction's, so that it ends with that
// whatever becomes of us, also where a pooler lends the connection to others
// afterwards. SQLite's serve holds the lock file, and its migrations are
// transactions of their own.
func (db *DB) lockMigrations(ctx context.Context) (unlock func() error, err error) {
	if db.Dialect != Postgres {
		return func() error { return nil }, nil
	}
	tx, err := db.Main.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	// The transaction is idle while others migrate.
	if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return nil, errors.Join(fmt.Errorf("lock migrations: %w", err), tx.Rollback())
	}
	var ours bool
	if err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", migrationLock).Scan(&ours); err != nil {
		return nil, errors.Join(fmt.Errorf("lock migrations: %w", err), tx.Rollback())
	}
	if !ours {
		return nil, tx.Rollback()
	}
	return tx.Rollback, nil
}
