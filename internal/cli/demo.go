package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	demoDora = "user_demo_dora"
	demoTeam = "user_demo_team"
)

// demo is a local Polar and a real server in front of it.
type demo struct {
	polar     *polartest.Server
	providers provider.Registry
	secrets   map[string]string // of the providers
	folder    string            // what is durable
	log       logLines
	webhooks  string // address of the public listener
	operator  string // address of the admin listener

	environment map[string]string // the server's settings
}

// Run starts everything on loopback, with what is durable in a temporary folder, and
// shows five deletions and what became of each. It fails when one of them did not
// end as it should.
func (c *demoCommand) Run(ctx context.Context, env *Env) (err error) {
	folder, err := os.MkdirTemp("", "polar-bridge-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	token := "polar_oat_" + rand.Text()
	d := &demo{
		polar: polartest.New(polartest.Options{Token: token}), folder: folder, log: make(logLines, maxUnread),
		secrets: map[string]string{"clerk": newClerkSecret(), "auth0": rand.Text()},
	}
	fmt.Fprintf(env.Stdout, "A local Polar with %d customers, the real server in front of it, SQLite in a temporary folder.\n\n", d.addCustomers())
	base, err := d.polar.Start("127.0.0.1:0") //nolint:contextcheck // it serves until it is closed
	if err != nil {
		return fmt.Errorf("start the local Polar: %w", err)
	}
	defer func() { err = errors.Join(err, d.polar.Close()) }()
	stop, err := d.serve(ctx, env, map[string]string{ // as serve would, with nobody's settings but these
		"POLAR_ACCESS_TOKEN": token, "POLAR_BASE_URL": base, "POLAR_ANONYMIZE": "false",
		"CLERK_WEBHOOK_SIGNING_SECRET": d.secrets["clerk"], "AUTH0_WEBHOOK_TOKEN": d.secrets["auth0"],
		"DATABASE_URL": "sqlite:" + filepath.Join(folder, "demo.db"), "ADMIN_PASSWORD": rand.Text(),
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	shown, err := d.play(ctx)
	if err != nil {
		return err
	}
	wrong, err := d.print(env.Stdout, shown)
	if err == nil && c.Stay {
		err = d.stay(ctx, env)
	}
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%d of %d did not end as they should", wrong, len(shown))
	}
	return err
}

// addCustomers fills the local Polar, which fails for as long as there is the file
// polarFails, and returns their number.
func (d *demo) addCustomers() int {
	for _, id := range []string{demoAda, demoBen, demoCleo, demoDora} {
		d.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: time.Now().AddDate(-1, 0, 0)})
	}
	d.polar.AddCustomer(polartest.Customer{ExternalID: demoTeam, CreatedAt: time.Now().AddDate(-1, 0, 0), Type: "team"})
	d.polar.SetFaultFunc(func(polartest.Entry) polartest.Fault {
		if _, err := os.Stat(filepath.Join(d.folder, polarFails)); err != nil {
			return polartest.Fault{}
		}
		return polartest.InternalError()
	})
	return len(d.polar.Customers())
}

// serve starts the server. Stop waits until it has ended.
func (d *demo) serve(ctx context.Context, env *Env, environment map[string]string) (stop func() error, err error) {
	all, err := settings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	d.providers = all.Providers
	logger, err := app.NewLogger(all.Log, d.log)
	if err != nil {
		return nil, err
	}
	service, err := app.New(ctx, app.Options{Settings: all, Logger: logger, Now: time.Now, Build: env.build()})
	if err != nil {
		return nil, err
	}
	d.webhooks, d.operator = "http://"+service.PublicAddr().String(), "http://"+service.AdminAddr().String()
	environment["LISTEN_ADDR"], environment["ADMIN_ADDR"] = service.PublicAddr().String(), service.AdminAddr().String()
	d.environment = environment
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- service.Run(running) }()
	return func() error { cancel(); return <-done }, nil
}

func newClerkSecret() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))
}

// maxUnread is how many log lines may wait until the demo reads them.
const maxUnread = 1000

// logLines is the server's log, so that the demo can show what it says.
type logLines chan []byte

// Write implements io.Writer: one call is one line. It never waits.
func (l logLines) Write(line []byte) (int, error) {
	select {
	case l <- bytes.Clone(line):
	default:
	}
	return len(line), nil
}

// await returns the next line that has all these parts.
func (l logLines) await(ctx context.Context, parts []string) (string, error) {
	for {
		select {
		case line := <-l:
			text := string(bytes.TrimSpace(line))
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) }) {
				return text, nil
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
