package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
)

type migrateCommand struct {
	Database config.Database `embed:""`
}

// Run brings the tables up to date. On SQLite it needs the file for itself
// when there is anything to do.
func (c *migrateCommand) Run(ctx context.Context, env *Env, loader *config.Loader) (err error) {
	if err := loader.Load(&c.Database); err != nil {
		return err
	}
	db, err := database.Open(ctx, c.Database.URL.Reveal())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrate(ctx, db); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stderr, "The database is up to date.")
	return err
}

func migrate(ctx context.Context, db *database.DB) (err error) {
	if err := db.CheckMigrated(ctx); !errors.Is(err, database.ErrNotMigrated) {
		return err
	}
	unlock, err := db.Lock() //nolint:contextcheck // it looks after the file until it is released
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return db.Migrate(ctx)
}
