package cli

import (
	"context"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type retryCommand struct{ choice }

// Help is shown below the flags' list.
func (*retryCommand) Help() string {
	return `A waiting deletion is tried now instead of later. A held one goes back to waiting and may be held again: retry lets nothing pass. What is done, cancelled or being tried is refused.`
}

// Run retries deletions.
func (c *retryCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := c.check(ops.VerbRetry); err != nil {
		return err
	}
	return group.use(ctx, env, loader, func(s *session) error {
		if len(c.IDs) == 0 {
			return c.many(ctx, env, s, bulk{verb: ops.VerbRetry, effect: "they will be tried now, with all guards"})
		}
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			return "will be tried now", s.Retry(ctx, id)
		})
	})
}
