package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
)

type serveCommand struct {
	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (*serveCommand) Help() string {
	var text strings.Builder
	text.WriteString("Secrets have no flag. Set the variable, or NAME_FILE with the name of a file that holds it:\n")
	longest := 0
	for _, secret := range config.SecretHelp() {
		longest = max(longest, len(secret.Name))
	}
	for _, secret := range config.SecretHelp() {
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
	for _, advice := range loader.Advise(&c.Config) {
		logger.Warn("setting looks wrong", zap.String("setting", advice.Setting), zap.String("problem", advice.Problem), zap.String("what_to_do", advice.Do))
	}
	service, err := app.New(ctx, app.Options{Config: &c.Config, Logger: logger, Now: time.Now, Build: env.build(), Reread: reread})
	if err != nil {
		return err
	}
	return service.Run(ctx)
}
