package cli

import (
	"context"

	"github.com/polar-bridge/polar-bridge/config"
)

type acknowledgeCommand struct {
	IDs  []int64 `arg:"" name:"id" help:"The deletions' ids."`
	JSON bool    `name:"json" help:"Print one JSON object a line."`
}

// Help is shown below the flags' list.
func (*acknowledgeCommand) Help() string {
	return `A customer who was deleted and was found again later is listed as reappeared: a checkout that was open has made them again. Look at the subscription in Polar first. Acknowledging says that you have seen it; it deletes nobody. If the customer is to go, delete them in Polar's dashboard.`
}

// Run acknowledges reappeared customers.
func (c *acknowledgeCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(s *session) error {
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			return "acknowledged: nobody is deleted, and the case is closed", s.Acknowledge(ctx, id)
		})
	})
}
