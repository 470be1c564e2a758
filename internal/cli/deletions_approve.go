package cli

import (
	"context"
	"fmt"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

type approveCommand struct {
	IDs      []int64 `arg:"" optional:"" name:"id" help:"The deletions' ids."`
	ReasonOf string  `name:"reason-of" placeholder:"REASON" help:"Approve everything that is held for this reason."`
	All      bool    `name:"all" help:"Approve everything that is held and can be approved."`
	Yes      bool    `name:"yes" help:"Do not ask; needed by --reason-of and --all where there is no terminal."`
	JSON     bool    `name:"json" help:"Print JSON, one object a line."`
}

// Help is shown below the flags' list.
func (*approveCommand) Help() string {
	return `Look first: deletions show ID. An approved deletion passes the guard that held it, and only that one; the others are asked again. What is deleted at Polar cannot be brought back.

What is held as resurrected is no deletion but the look-up after one, which found somebody: approving it deletes nobody, it says that you have seen it, and closes the case. If the customer is to go, delete it in Polar's dashboard.

Deletions held as unusable_id or unaddressable cannot be approved, because no request to Polar can name their customer; nor can those held as forbidden or unexpected, because of how Polar, or a proxy in front of it, answers: retry them.`
}

// Run approves deletions.
func (c *approveCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := c.check(); err != nil {
		return err
	}
	return group.use(ctx, env, loader, func(d *desk) error {
		if len(c.IDs) == 0 {
			return c.many(ctx, env, d)
		}
		return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
			r, err := d.Find(ctx, id)
			if err != nil {
				return "", err
			}
			result := "approved, will be tried now"
			if r.HoldReason == event.HoldResurrected {
				result = "seen: nobody is deleted, and the case is closed"
			}
			return result, d.Approve(ctx, id)
		})
	})
}

// check wants exactly one way of choosing.
func (c *approveCommand) check() error {
	ways := 0
	for _, used := range []bool{len(c.IDs) > 0, c.ReasonOf != "", c.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return usage("say what to approve: either ids, or --reason-of, or --all")
	}
	reason, err := holdReason("--reason-of", c.ReasonOf)
	if err != nil {
		return err
	}
	if reason == event.HoldForbidden {
		return usage("what is held as %s cannot be approved: allow the request at Polar or at the proxy in front of it, then retry the deletion", c.ReasonOf)
	}
	if reason == event.HoldUnexpected {
		return usage("what is held as %s cannot be approved: no approval changes how Polar answers; retry the deletion", c.ReasonOf)
	}
	if reason != "" && !queue.Approvable(reason) {
		return usage("what is held as %s cannot be approved: find and delete the customer in Polar's dashboard, then cancel the deletion", c.ReasonOf)
	}
	return nil
}

// many approves in bulk exactly what was held when the question was asked: what
// is held while somebody reads it was not part of it.
func (c *approveCommand) many(ctx context.Context, env *Env, d *desk) error {
	held, err := d.Approvables(ctx, event.HoldReason(c.ReasonOf))
	if err != nil {
		return err
	}
	if len(held) == 0 {
		fmt.Fprintln(env.Stderr, "Nothing is held that this could approve.")
		return c.report(env, 0)
	}
	if err := env.confirm(c.Yes, approval(held)); err != nil {
		return err
	}
	approved, err := d.ApproveHeld(ctx, held)
	if err != nil {
		return fmt.Errorf("approved %s, then: %w", plural(approved, "deletion"), err)
	}
	return c.report(env, approved)
}

// approval says what it does to approve them. A look-up after a deletion that
// found somebody deletes nobody, whatever an operator says of it.
func approval(held []queue.Held) string {
	lookUps := 0
	for _, h := range held {
		if h.Reason == event.HoldResurrected {
			lookUps++
		}
	}
	const closes = "which deletes nobody and closes the case"
	switch deletions := plural(len(held)-lookUps, "deletion"); lookUps {
	case 0:
		return fmt.Sprintf("Approve %s; their customers will be deleted at Polar for good", deletions)
	case len(held):
		return fmt.Sprintf("Approve %s that found somebody again, %s", plural(lookUps, "look-up"), closes)
	default:
		return fmt.Sprintf("Approve %s, whose customers will be deleted at Polar for good, and %s that found somebody again, %s", deletions, plural(lookUps, "look-up"), closes)
	}
}

func (c *approveCommand) report(env *Env, approved int) error {
	if c.JSON {
		return printJSON(env.Stdout, map[string]int{"approved": approved})
	}
	_, err := fmt.Fprintf(env.Stdout, "%s approved\n", plural(approved, "deletion"))
	return err
}
