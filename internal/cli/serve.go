package cli

import (
	"context"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
)

type serveCommand struct {
	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (*serveCommand) Help() string {
	return `Secrets have no flag. Set the variable, or NAME_FILE with the name of a file that holds it:

  POLAR_ACCESS_TOKEN            organization access token of Polar, scope customers:write (required)
  CLERK_WEBHOOK_SIGNING_SECRET  enables /webhooks/clerk
  AUTH0_WEBHOOK_TOKEN           enables /webhooks/auth0 (Event Streams)
  AUTH0_LOGS_TOKEN              enables /webhooks/auth0-logs (Log Streams)
  DATABASE_URL                  sqlite:PATH or postgres://... (sqlite:polar-bridge.db)`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, env *Env, loader *config.Loader) error {
	if err := loader.Load(config.ForServe(&c.Config)); err != nil {
		return err
	}
	logger, err := app.NewLogger(c.Config.Log, env.Stdout)
	if err != nil {
		return err
	}
	service, err := app.New(ctx, app.Options{Config: &c.Config, Logger: logger, Now: time.Now, Build: env.build()})
	if err != nil {
		return err
	}
	return service.Run(ctx)
}
