package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
)

// deliveries lists what Auth0 failed to deliver and, with --apply, asks for it again.
func (c *reconcileCommand) deliveries(ctx context.Context) error {
	if !c.providers.Auth0().HasAPI() {
		return c.providers.CheckReconcile(directory.ProviderAuth0)
	}
	directories, err := app.NewDirectories(c.all(), c.env.build(), time.Now, nil)
	if err != nil {
		return err
	}
	failed, disabled, err := c.failedDeliveries(ctx, directories.Auth0)
	if err != nil {
		return err
	}
	again := 0
	if c.Apply {
		if again, err = c.redeliver(ctx, directories.Auth0, failed, disabled); err != nil {
			return err
		}
	}
	switch {
	case len(failed) == 0:
		fmt.Fprintln(c.env.Stderr, "No deletion failed to be delivered.")
	case !c.Apply:
		fmt.Fprintf(c.env.Stderr, "%d failed to be delivered. Nothing was changed; --apply asks Auth0 to deliver them again.\n", len(failed))
	default:
		fmt.Fprintf(c.env.Stderr, "%d failed to be delivered; Auth0 was asked to deliver %d of them again.\n", len(failed), again)
	}
	if c.Apply && again < len(failed) {
		return fmt.Errorf("%d of %d were not asked for again", len(failed)-again, len(failed))
	}
	if c.ExitCode && len(failed)+len(disabled) > 0 {
		return errFound
	}
	return nil
}

// failedDeliveries reads and prints them, of all streams, and warns of streams that
// are disabled, which no redelivery passes.
func (c *reconcileCommand) failedDeliveries(ctx context.Context, api *directory.Auth0) (all []directory.Auth0Delivery, disabled map[string]bool, err error) {
	streams, err := api.Streams(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list event streams (that takes the scope %s): %w", directory.Auth0ScopeStreams, err)
	}
	if only := c.providers.Auth0().Streams(); len(only) > 0 {
		streams = slices.DeleteFunc(streams, func(s directory.Auth0Stream) bool { return !slices.Contains(only, s.ID) })
	}
	if len(streams) == 0 {
		return nil, nil, errors.New("Auth0 has no event stream with user.deleted; if AUTH0_STREAM_ID is set, check it")
	}
	disabled = map[string]bool{}
	table := newTable(c.env.Stdout, "EVENT", "STREAM", "ATTEMPTS", "LAST ATTEMPT", "ERROR")
	for _, stream := range streams {
		if !stream.Enabled {
			disabled[stream.ID] = true
			fmt.Fprintf(c.env.Stderr, "The event stream %s (%s) is disabled: Auth0 sends nothing. Enable it at Auth0, then run this again.\n", visible(stream.ID), strconv.Quote(stream.Name))
		}
		failed, err := api.FailedDeliveries(ctx, stream.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("list failed deliveries (that takes the scope %s): %w", directory.Auth0ScopeDeliveries, err)
		}
		all = append(all, failed...)
	}
	for _, d := range all {
		if c.JSON {
			err = printJSON(c.env.Stdout, d)
		} else {
			err = table.row(visible(d.EventID), visible(d.StreamID), d.Attempts, at(d.LastAt), strconv.Quote(d.Error))
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return all, disabled, table.flush()
}

// redeliver asks for the deliveries of enabled streams again and returns for
// how many it did. What does not work for one is said, and is no reason to leave
// out the others.
func (c *reconcileCommand) redeliver(ctx context.Context, api *directory.Auth0, failed []directory.Auth0Delivery, disabled map[string]bool) (again int, err error) {
	for _, delivery := range failed {
		if disabled[delivery.StreamID] {
			continue
		}
		if err := api.Redeliver(ctx, delivery.StreamID, delivery.EventID); err != nil {
			if ctx.Err() != nil {
				return again, err
			}
			fmt.Fprintf(c.env.Stderr, "polar-bridge: event %s (that takes the scope %s): %s\n", visible(delivery.EventID), directory.Auth0ScopeRedeliver, err)
			continue
		}
		again++
	}
	return again, nil
}
