package cli

import (
	"context"

	"github.com/polar-bridge/polar-bridge/config"
)

type retryCommand struct {
	IDs  []int64 `arg:"" name:"id" help:"The deletions' ids."`
	JSON bool    `name:"json" help:"Print one JSON object a line."`
}

// Help is shown below the flags' list.
func (*retryCommand) Help() string {
	return `A waiting deletion is tried now instead of later. A held one goes back to waiting and may be held again: retry lets nothing pass. What is done, cancelled or being tried is refused.`
}

// Run retries deletions.
func (c *retryCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(d *desk) error {
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			return "will be tried now", d.Retry(ctx, id)
		})
	})
}
