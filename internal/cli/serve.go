package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type serveCommand struct {
	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (c *serveCommand) Help() string {
	var text strings.Builder
	text.WriteString("Secrets have no flag. Set the variable, or NAME_FILE with the name of a file that holds it:\n")
	longest := 0
	for _, secret := range c.Config.SecretHelp() {
		longest = max(longest, len(secret.Name))
	}
	for _, secret := range c.Config.SecretHelp() {
		fmt.Fprintf(&text, "\n  %-*s  %s", longest, secret.Name, secret.Value)
	}
	return text.String()
}

// reread is Reread, or nothing.
func (e *Env) reread() (signals <-chan os.Signal, stop func()) {
	if e.Reread == nil {
		return nil, func() {}
	}
	return e.Reread()
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) error {
	reread, stop := env.reread() // first: the signal must not end a server that is starting
	defer stop()
	// Whether anybody reads what a server says must not matter to it.
	signal.Ignore(syscall.SIGPIPE)
	env.Stderr = timedWriter{env.Stderr}
	all := settings.All{Config: &c.Config, Providers: providers}
	if err := loader.Load(all.ForServe()); err != nil {
		return err
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
		Config: &c.Config, Providers: providers, Logger: logger, LogLinesDropped: lines.Dropped, Now: time.Now, Build: env.build(), Reread: reread,
	})
	if err != nil {
		return err
	}
	return service.Run(ctx)
}
