package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
)

// deliveries lists what Auth0 failed to deliver and asks for it again.
func (c *reconcileCommand) deliveries(ctx context.Context, env *Env) error {
	if !c.providers.Auth0().HasAPI() {
		return c.providers.CheckReconcile(directory.ProviderAuth0)
	}
	directories, err := app.NewDirectories(app.DirectoriesOptions{Providers: c.providers, Build: env.build(), Now: time.Now})
	if err != nil {
		return err
	}
	api := directories.Auth0
	streams, err := api.Streams(ctx)
	if err != nil {
		return fmt.Errorf("list event streams (that takes the scope %s): %w", directory.Auth0ScopeStreams, err)
	}
	failed, disabled, err := c.failedDeliveries(ctx, env, api, streams)
	if err != nil {
		return err
	}
	if err := c.printDeliveries(env.Stdout, failed); err != nil {
		return err
	}
	again := 0
	if c.Apply {
		if again, err = redeliver(ctx, env, api, failed, disabled); err != nil {
			return err
		}
	}
	c.sayDeliveries(env.Stderr, failed, again)
	if c.Apply && again < len(failed) {
		return fmt.Errorf("%d of %d were not asked for again", len(failed)-again, len(failed))
	}
	if c.ExitCode && len(failed)+len(disabled) > 0 {
		return errFound
	}
	return nil
}

// failedDeliveries reads them of all streams and warns of those that are
// disabled, which no redelivery passes.
func (c *reconcileCommand) failedDeliveries(ctx context.Context, env *Env, api *directory.Auth0, streams []directory.Auth0Stream) (all []directory.Auth0Delivery, disabled map[string]bool, err error) {
	disabled = map[string]bool{}
	looked := 0
	for _, stream := range streams {
		if only := c.providers.Auth0().Streams(); len(only) > 0 && !slices.Contains(only, stream.ID) {
			continue
		}
		looked++
		if !stream.Enabled {
			disabled[stream.ID] = true
			fmt.Fprintf(env.Stderr, "The event stream %s (%s) is disabled: Auth0 sends nothing. Enable it at Auth0, then run this again.\n", visible(stream.ID), strconv.Quote(stream.Name))
		}
		failed, err := api.FailedDeliveries(ctx, stream.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("list failed deliveries (that takes the scope %s): %w", directory.Auth0ScopeDeliveries, err)
		}
		all = append(all, failed...)
	}
	if looked == 0 {
		return nil, nil, errors.New("Auth0 has no event stream with user.deleted; if AUTH0_STREAM_ID is set, check it")
	}
	return all, disabled, nil
}

// redeliver asks for the deliveries of enabled streams again and returns for
// how many it did. What does not work for one is said, and is no reason to leave
// out the others.
func redeliver(ctx context.Context, env *Env, api *directory.Auth0, failed []directory.Auth0Delivery, disabled map[string]bool) (again int, err error) {
	for _, delivery := range failed {
		if disabled[delivery.StreamID] {
			continue
		}
		if err := api.Redeliver(ctx, delivery.StreamID, delivery.EventID); err != nil {
			if ctx.Err() != nil {
				return again, err
			}
			fmt.Fprintf(env.Stderr, "polar-bridge: event %s (that takes the scope %s): %s\n", visible(delivery.EventID), directory.Auth0ScopeRedeliver, err)
			continue
		}
		again++
	}
	return again, nil
}

func (c *reconcileCommand) printDeliveries(w io.Writer, failed []directory.Auth0Delivery) error {
	checked := &checkedWriter{to: w}
	table := tabwriter.NewWriter(checked, 0, 0, 2, ' ', 0)
	if len(failed) > 0 && !c.JSON {
		fmt.Fprintln(table, "EVENT\tSTREAM\tATTEMPTS\tLAST ATTEMPT\tERROR")
	}
	for _, d := range failed {
		if c.JSON {
			if err := printJSON(w, d); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", visible(d.EventID), visible(d.StreamID), d.Attempts, at(d.LastAt), strconv.Quote(d.Error))
	}
	return errors.Join(table.Flush(), checked.err)
}

func (c *reconcileCommand) sayDeliveries(w io.Writer, failed []directory.Auth0Delivery, again int) {
	switch {
	case len(failed) == 0:
		fmt.Fprintln(w, "No deletion failed to be delivered.")
	case !c.Apply:
		fmt.Fprintf(w, "%d failed to be delivered. Nothing was changed; --apply asks Auth0 to deliver them again.\n", len(failed))
	default:
		fmt.Fprintf(w, "%d failed to be delivered; Auth0 was asked to deliver %d of them again.\n", len(failed), again)
	}
}
