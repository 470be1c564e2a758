package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

type demoCommand struct {
	Stay bool `name:"stay" help:"Keep running afterwards and say what else to try."`
}

// The customers of the local Polar.
const (
	demoAda  = "user_demo_ada"
	demoBen  = "auth0|demo-ben"
	demoCleo = "user_demo_cleo"
)

// demo is a local Polar and a real server in front of it.
type demo struct {
	polar         *polartest.Server
	service       *app.App
	providers     provider.Registry
	log           *logLines
	webhooks      string // address of the public listener
	operator      string // address of the admin listener
	clerk, auth0  string // secrets of the providers
	stop          func() error
	folder, token string
}

// Run shows five deletions and what became of each. It fails when one of them
// did not end as it should.
func (c *demoCommand) Run(ctx context.Context, env *Env) (err error) {
	d, err := startDemo(ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()

	shown, err := d.play(ctx)
	if err != nil {
		return err
	}
	if err := d.print(env.Stdout, shown); err != nil {
		return err
	}
	if c.Stay {
		if err := d.invite(env.Stdout); err != nil {
			return err
		}
		d.log.follow(env.Stderr)
		<-ctx.Done()
	}
	return checkScenes(shown)
}

// startDemo starts everything on loopback, with what is durable in a temporary folder.
func startDemo(ctx context.Context, env *Env) (*demo, error) {
	d := &demo{
		log:   &logLines{},
		token: "polar_oat_" + rand.Text(),
		clerk: "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())),
		auth0: rand.Text(),
	}
	var err error
	if d.folder, err = os.MkdirTemp("", "polar-bridge-demo-"); err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	d.polar = polartest.New(polartest.Options{Token: d.token})
	for _, id := range []string{demoAda, demoBen, demoCleo} {
		d.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: time.Now().AddDate(-1, 0, 0)})
	}
	base, err := d.polar.Start("127.0.0.1:0") //nolint:contextcheck // it serves until it is closed
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the local Polar: %w", err), os.RemoveAll(d.folder))
	}
	stopService, err := d.startService(ctx, env, base)
	d.stop = func() error { return errors.Join(stopService(), d.polar.Close(), os.RemoveAll(d.folder)) }
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// startService starts the server as serve would, with nobody's settings but its
// own.
func (d *demo) startService(ctx context.Context, env *Env, polarURL string) (stop func() error, err error) {
	nothing := func() error { return nil }
	environment := map[string]string{
		"POLAR_ACCESS_TOKEN": d.token, "POLAR_BASE_URL": polarURL, "POLAR_ANONYMIZE": "false",
		"CLERK_WEBHOOK_SIGNING_SECRET": d.clerk, "AUTH0_WEBHOOK_TOKEN": d.auth0,
		"DATABASE_URL": "sqlite:" + filepath.Join(d.folder, "demo.db"),
		"LISTEN_ADDR":  "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	}
	all, err := settings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: time.Now})
	if err != nil {
		return nothing, err
	}
	d.providers = all.Providers
	logger, err := app.NewLogger(all.Log, d.log)
	if err != nil {
		return nothing, err
	}
	d.service, err = app.New(ctx, app.Options{Config: all.Config, Providers: all.Providers, Logger: logger, Now: time.Now, Build: env.build()})
	if err != nil {
		return nothing, err
	}
	d.webhooks, d.operator = "http://"+d.service.PublicAddr().String(), "http://"+d.service.AdminAddr().String()

	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- d.service.Run(running) }()
	return func() error { cancel(); return <-done }, nil
}
