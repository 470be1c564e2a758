package cli

import (
	"context"

	"github.com/polar-bridge/polar-bridge/config"
)

type cancelCommand struct {
	IDs    []int64 `arg:"" name:"id" help:"The deletions' ids."`
	Reason string  `name:"reason" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
	JSON   bool    `name:"json" help:"Print one JSON object a line."`
}

// Help is shown below the flags' list.
func (*cancelCommand) Help() string {
	return `A cancelled deletion is never tried again, and the same event sent again is a duplicate. One that is being tried is told to stop: look with deletions show how it ended, for its request may have reached Polar.`
}

// Run cancels deletions.
func (c *cancelCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := checkReason(c.Reason); err != nil {
		return err
	}
	return group.use(ctx, env, loader, func(d *desk) error {
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			stopping, err := d.Cancel(ctx, id, c.Reason)
			if stopping {
				return "is being tried, was told to stop", nil
			}
			return "cancelled", err
		})
	})
}
