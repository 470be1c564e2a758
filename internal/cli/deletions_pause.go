package cli

import (
	"context"
	"fmt"

	"github.com/polar-bridge/polar-bridge/config"
)

type pauseCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown below the flags' list.
func (*pauseCommand) Help() string {
	return `Nothing new is tried at Polar until resume, on any server, restarted ones too. Attempts under way are finished. Webhooks are taken and stored as always.`
}

// Run pauses.
func (c *pauseCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(s *session) error {
		changed, err := s.Pause(ctx)
		if err != nil {
			return err
		}
		return reportPause(env, c.JSON, true, changed)
	})
}

type resumeCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run resumes.
func (c *resumeCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(s *session) error {
		changed, err := s.Resume(ctx)
		if err != nil {
			return err
		}
		return reportPause(env, c.JSON, false, changed)
	})
}

func reportPause(env *Env, asJSON, paused, changed bool) error {
	if asJSON {
		return printJSON(env.Stdout, map[string]bool{"paused": paused, "changed": changed})
	}
	text := "paused"
	switch {
	case !paused && changed:
		text = "resumed"
	case !paused:
		text = "was not paused"
	case !changed:
		text = "was paused already"
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}
