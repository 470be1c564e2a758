package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

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

// Why a database cannot be used as it is.
var (
	// ErrNotMigrated says that tables are missing or old.
	ErrNotMigrated = errors.New("the database's tables are not up to date; run: polar-bridge migrate")
	// ErrNewerSchema says that a newer program has migrated the database.
	ErrNewerSchema = errors.New("the database was migrated by a newer polar-bridge; start that version, or restore the backup made before the upgrade")
)

// Migrate brings River's tables and ours up to date. Several replicas may call
// it at once. It refuses a database that a newer program has migrated.
func (db *DB) Migrate(ctx context.Context) (err error) {
	unlock, err := db.lockMigrations(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	if err := db.CheckMigrated(ctx); !errors.Is(err, ErrNotMigrated) {
		return err
	}
	river, ours, err := db.migrators()
	if err != nil {
		return err
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue's tables: %w", err)
	}
	if _, err := ours.Up(ctx); err != nil {
		return fmt.Errorf("migrate tables: %w", err)
	}
	return nil
}

// CheckMigrated returns nil, ErrNotMigrated or ErrNewerSchema, or why it could
// not find out.
func (db *DB) CheckMigrated(ctx context.Context) error {
	river, ours, err := db.migrators()
	if err != nil {
		return err
	}
	current, target, err := ours.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	known := river.AllVersions()
	if current > target || db.riverVersion(ctx) > known[len(known)-1].Version {
		return ErrNewerSchema
	}
	existing, err := river.ExistingVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the queue's schema version: %w", err)
	}
	if current < target || len(existing) < len(known) {
		return ErrNotMigrated
	}
	return nil
}

// riverVersion returns the version of River's tables, 0 when there are none.
// River's migrator only fails on a version that it does not know.
func (db *DB) riverVersion(ctx context.Context) int {
	var version sql.NullInt64
	err := db.Main.QueryRowContext(ctx, "SELECT max(version) FROM river_migration WHERE line = 'main'").Scan(&version)
	if err != nil {
		return 0 // no such table; whatever else is wrong, the next query meets too
	}
	return int(version.Int64)
}

func (db *DB) migrators() (*rivermigrate.Migrator[*sql.Tx], *goose.Provider, error) {
	river, err := rivermigrate.New(db.Driver(), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the queue's migrations: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, nil, fmt.Errorf("read migrations: %w", err)
	}
	dialect := goose.DialectSQLite3
	if db.Dialect == Postgres {
		dialect = goose.DialectPostgres
	}
	ours, err := goose.NewProvider(dialect, db.Main, files,
		goose.WithTableName(migrationTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, nil, fmt.Errorf("prepare migrations: %w", err)
	}
	return river, ours, nil
}

// lockMigrations holds a session's advisory lock on Postgres. SQLite's serve
// holds the lock file, and its migrations are transactions of their own.
func (db *DB) lockMigrations(ctx context.Context) (unlock func() error, err error) {
	if db.Dialect != Postgres {
		return func() error { return nil }, nil
	}
	conn, err := db.Main.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return nil, errors.Join(fmt.Errorf("lock migrations: %w", err), conn.Close())
	}
	return func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
		if err != nil {
			err = fmt.Errorf("unlock migrations: %w", err)
		}
		return errors.Join(err, conn.Close())
	}, nil
}
