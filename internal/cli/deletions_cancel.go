package cli

import (
	"context"
	"errors"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type cancelCommand struct {
	choice

	Because string `name:"because" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
}

// Help is shown below the flags' list.
func (*cancelCommand) Help() string {
	return `A cancelled deletion is never tried again, and the same event sent again is a duplicate. While a request to Polar is on its way it is refused: what Polar answers is what becomes of the deletion.`
}

// Run cancels deletions.
func (c *cancelCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := errors.Join(checkBecause(c.Because), c.check(ops.VerbCancel)); err != nil {
		return err
	}
	return group.use(ctx, env, loader, func(s *session) error {
		if len(c.IDs) == 0 {
			return c.many(ctx, env, s, bulk{ops.VerbCancel, "they will never be tried, and nobody is deleted", c.Because})
		}
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			sent, err := s.Cancel(ctx, id, c.Because)
			if sent {
				return "cancelled; an earlier request whose answer was lost may have deleted the customer", err
			}
			return "cancelled", err
		})
	})
}
