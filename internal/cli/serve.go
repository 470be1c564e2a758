package cli

import (
	"context"
	"os"
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
  WORKOS_WEBHOOK_SECRET         enables /webhooks/workos
  ZITADEL_WEBHOOK_SECRET        enables /webhooks/zitadel (Actions v2)
  LOGTO_WEBHOOK_SECRET          enables /webhooks/logto
  KEYCLOAK_WEBHOOK_SECRET       enables /webhooks/keycloak (Phase Two's keycloak-events)
  STANDARD_WEBHOOK_SECRET       enables /webhooks/standard (any sender of Standard Webhooks)
  STYTCH_WEBHOOK_SECRET         enables /webhooks/stytch
  OKTA_WEBHOOK_TOKEN            enables /webhooks/okta (event hooks)
  SUPABASE_WEBHOOK_TOKEN        enables /webhooks/supabase (Database Webhooks)
  CLERK_SECRET_KEY              asks Clerk before each deletion (Backend API)
  AUTH0_CLIENT_SECRET           asks Auth0 before each deletion, with AUTH0_DOMAIN and AUTH0_CLIENT_ID
  DATABASE_URL                  sqlite:PATH or postgres://... (sqlite:polar-bridge.db)`
}

// reread is Reread, or nothing.
func (e *Env) reread() (signals <-chan os.Signal, stop func()) {
	if e.Reread == nil {
		return nil, func() {}
	}
	return e.Reread()
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, env *Env, loader *config.Loader) error {
	reread, stop := env.reread() // first: the signal must not end a server that is starting
	defer stop()
	if err := loader.Load(config.ForServe(&c.Config)); err != nil {
		return err
	}
	logger, err := app.NewLogger(c.Config.Log, env.Stdout)
	if err != nil {
		return err
	}
	service, err := app.New(ctx, app.Options{Config: &c.Config, Logger: logger, Now: time.Now, Build: env.build(), Reread: reread})
	if err != nil {
		return err
	}
	return service.Run(ctx)
}
