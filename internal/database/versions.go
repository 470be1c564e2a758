package database

import (
	"context"
	"database/sql"
	"fmt"
)

// CheckMigrated returns nil, ErrNotMigrated, ErrNewerSchema or ErrUnreleasedSchema, or why it could
// not find out. It makes nothing.
func (db *DB) CheckMigrated(ctx context.Context) error {
	river, ours, err := db.migrators()
	if err != nil {
		return err
	}
	sources, known := ours.ListSources(), river.AllVersions()
	return db.explain(ctx, db.compareVersions(ctx, sources[len(sources)-1].Version, int64(known[len(known)-1].Version)))
}

// compareVersions compares the newest applied migrations with the newest known
// ones, ours and River's.
func (db *DB) compareVersions(ctx context.Context, ours, river int64) error {
	var unreleased bool
	if err := db.Main.QueryRowContext(ctx, db.sql.UnreleasedExists).Scan(&unreleased); err != nil {
		return fmt.Errorf("look for tables from before 0.1.0: %w", err)
	}
	if unreleased {
		return ErrUnreleasedSchema
	}
	applied, err := db.newest(ctx, migrationTable, db.sql.NewestMigration)
	if err != nil {
		return err
	}
	// Old tables of River's, and those that another replica is just making, say no
	// more than the version.
	queues, err := db.newest(ctx, "river_migration", db.sql.NewestRiverMigration)
	switch {
	case err != nil:
		return err
	case applied > ours || queues > river:
		return ErrNewerSchema
	case applied < ours || queues < river:
		return ErrNotMigrated
	}
	return nil
}

func (db *DB) tableExists(ctx context.Context, table string) (bool, error) {
	var found bool
	if err := db.Main.QueryRowContext(ctx, db.sql.TableExists, table).Scan(&found); err != nil {
		return false, fmt.Errorf("look for the table %s: %w", table, err)
	}
	return found, nil
}

// newest returns what query finds in the table, 0 when there is no such table.
func (db *DB) newest(ctx context.Context, table, query string) (int64, error) {
	if found, err := db.tableExists(ctx, table); err != nil || !found {
		return 0, err
	}
	var version sql.NullInt64
	if err := db.Main.QueryRowContext(ctx, query).Scan(&version); err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return version.Int64, nil
}
