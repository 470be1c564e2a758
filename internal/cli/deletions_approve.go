package cli

import (
	"context"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type approveCommand struct{ choice }

// Help is shown below the flags' list.
func (*approveCommand) Help() string {
	return `Look first: deletions show ID. An approved deletion passes the guard that held it, and only that one; the others are asked again. What is deleted at Polar cannot be brought back.

An approval is given for the customer that was last looked up: another one with the same external id is held again.

Deletions held as unusable_id or unaddressable cannot be approved, because no request to Polar can name their customer; nor can those held as forbidden or unexpected, because of how Polar, or a proxy in front of it, answers: retry them.`
}

// Run approves deletions.
func (c *approveCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := c.check(); err != nil {
		return err
	}
	return group.use(ctx, env, loader, func(s *session) error {
		if len(c.IDs) == 0 {
			return c.many(ctx, env, s, bulk{verb: ops.VerbApprove, effect: "their customers will be deleted at Polar for good"})
		}
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			return "approved, will be tried now", s.Approve(ctx, id)
		})
	})
}

// check refuses what no approval changes.
func (c *approveCommand) check() error {
	if err := c.choice.check(ops.VerbApprove); err != nil {
		return err
	}
	switch reason := deletion.HoldReason(c.Reason); {
	case reason == deletion.HoldForbidden:
		return usage("what is held as %s cannot be approved: allow the request at Polar or at the proxy in front of it, then retry the deletion", reason)
	case reason == deletion.HoldUnexpected:
		return usage("what is held as %s cannot be approved: no approval changes how Polar answers; retry the deletion", reason)
	case reason != "" && !ops.Approvable(reason):
		return usage("what is held as %s cannot be approved: find and delete the customer in Polar's dashboard, then cancel the deletion", reason)
	}
	return nil
}
