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
	db, err := database.Open(ctx, c.Database.Address(), c.Database.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.CheckMigrated(ctx)
	if errors.Is(err, database.ErrNotMigrated) {
		if err = db.Lock(ctx); err == nil {
			err = db.Migrate(ctx, func() {
				_, _ = fmt.Fprintln(env.Stderr, "Waiting for another process that migrates the database.") // whoever does not read it has gone
			})
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stderr, "The database is up to date.")
	return err
}
