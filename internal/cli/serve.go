package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type serveCommand struct {
	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (c *serveCommand) Help() string {
	var text strings.Builder
	text.WriteString("Secrets have no flag. Set the variable, or NAME_FILE with the name of a file that holds it:\n\n")
	table := newTable(&text)
	for _, secret := range c.Config.SecretHelp() {
		table.line("  "+secret.Name, secret.Value)
	}
	_ = table.flush() // a text takes everything
	return strings.TrimSpace(text.String())
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry, parsed *kong.Context) error {
	var reread <-chan os.Signal
	if env.Reread != nil { // first: the signal must not end a server that is starting
		signals, stop := env.Reread()
		defer stop()
		reread = signals
	}
	// Whether anybody reads what a server says must not matter to it.
	signal.Ignore(syscall.SIGPIPE)
	env.Stderr = timedWriter{env.Stderr}
	all := settings.All{Config: &c.Config, Providers: providers}
	if err := loader.Load(all.ForServe()); err != nil {
		return err
	}
	if flagsGiven(parsed)["LOG_FORMAT"] == "" && env.Getenv("LOG_FORMAT") == "" && isTerminal(env.Stdout) {
		c.Config.Log.Format, c.Config.Log.Colors = "console", env.Getenv("NO_COLOR") == ""
		if err := c.greet(timedWriter{env.Stdout}, providers); err != nil {
			return err
		}
	}
	lines := app.NewLogQueue(env.Stdout)
	defer lines.Close()
	logger, err := lines.Logger(c.Config.Log)
	if err != nil {
		return err
	}
	for _, advice := range all.Advise(loader) {
		logger.Warn("setting looks wrong", zap.String("setting", advice.Setting), zap.String("problem", advice.Problem), zap.String("what_to_do", advice.Do))
	}
	restore := zap.RedirectStdLog(logger) // of libraries
	defer restore()
	service, err := app.New(ctx, app.Options{
		Settings: all, Logger: logger, LogLinesDropped: lines.Dropped, Now: time.Now, Build: env.build(), Reread: reread,
	})
	if err != nil {
		return err
	}
	return service.Run(ctx)
}

// greet says to whoever starts it on a terminal where the database is, and what to
// register where.
func (c *serveCommand) greet(w io.Writer, providers provider.Registry) error {
	place, err := database.Place(c.Config.Database.Address())
	if err != nil {
		return err
	}
	table := newTable(w)
	table.line("Deletions are kept in " + place + ".")
	table.line("Webhooks are taken here; register the address under which the internet reaches it:")
	for _, p := range providers.Enabled() {
		table.line("  "+p.Title, "POST http://"+reachable(c.Config.HTTP.ListenAddr)+"/webhooks/"+p.Name)
	}
	return table.flush()
}

// writeTimeout is how long a server waits for somebody to read what it says
// when it cannot start, or ends.
const writeTimeout = time.Second

// timedWriter gives up a write that nobody reads, so that a full pipe does not
// keep a server from ending.
type timedWriter struct{ out io.Writer }

// Write implements io.Writer. It does not fail: there is nobody to tell.
func (w timedWriter) Write(p []byte) (int, error) {
	text, done := append([]byte(nil), p...), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.out.Write(text)
	}()
	enough := time.NewTimer(writeTimeout)
	defer enough.Stop()
	select {
	case <-done:
	case <-enough.C:
	}
	return len(p), nil
}
