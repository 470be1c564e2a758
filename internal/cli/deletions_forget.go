package cli

import (
	"context"
	"fmt"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

type forgetCommand struct {
	ExternalID string `name:"external-id" required:"" placeholder:"ID" help:"Whose records."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Help is shown below the flags' list.
func (*forgetCommand) Help() string {
	return `Ids, errors and operators' reasons are removed from the records; what happened when, and what is needed to recognise the same event again, stays. It is refused while a deletion of that person is not finished. Logs, exports and backups are not touched, and it cannot be undone.`
}

// Run forgets one person.
func (c *forgetCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	if err := deletion.CheckExternalID(c.ExternalID); err != nil {
		return usage("--external-id: no deletion can have it: %w", err)
	}
	return group.use(ctx, env, loader, func(s *session) error {
		records, err := s.Forget(ctx, c.ExternalID)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(env.Stdout, map[string]int{"forgotten": records})
		}
		_, err = fmt.Fprintf(env.Stdout, "%s forgotten\n", plural(records, "record"))
		return err
	})
}
