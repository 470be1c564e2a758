package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type listCommand struct {
	State      deletion.State      `name:"state" placeholder:"STATE" help:"Only these: waiting, held, done, cancelled or reappeared."`
	Since      moment              `name:"since" placeholder:"WHEN" help:"Only those accepted since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`
	ExternalID externalID          `name:"external-id" placeholder:"ID" help:"Only those of this customer."`
	UserID     string              `name:"user-id" placeholder:"ID" help:"Only those of this user of the provider."`
	CustomerID string              `name:"customer-id" placeholder:"ID" help:"Only those that found this customer, by Polar's id."`
	Provider   string              `name:"provider" placeholder:"PROVIDER" help:"Only those that this provider told of."`
	Reason     deletion.HoldReason `name:"reason" placeholder:"REASON" help:"Only those held for this reason."`
	Limit      int                 `name:"limit" default:"100" placeholder:"N" help:"At most so many, 100 by default; 0 for all."`
	JSON       bool                `name:"json" help:"Print one JSON object a line."`
}

// Validate refuses what is no number of deletions.
func (c *listCommand) Validate() error {
	if c.Limit < 0 {
		return errors.New("--limit must be 0 or more")
	}
	return nil
}

// Run lists deletions.
func (c *listCommand) Run(ctx context.Context, env *Env, s *session) error {
	filter := ops.Filter{
		State: c.State, Since: c.Since.Time, ExternalID: string(c.ExternalID), UserID: c.UserID, CustomerID: c.CustomerID,
		Provider: c.Provider, Reason: c.Reason,
	}
	if c.Limit > 0 {
		filter.Limit = c.Limit + 1 // to know whether there are more
	}
	table := newTable(env.Stdout, "ID", "STATE", "PROVIDER", "EXTERNAL ID", "WHY", "RECEIVED", "NEXT TRY")
	count := 0
	for r, err := range s.List(ctx, filter) {
		if err != nil {
			return err
		}
		if count == filter.Limit-1 {
			fmt.Fprintf(env.Stderr, "There are more than %d: choose with --state, --reason, --since or --external-id, or add --limit 0.\n", c.Limit)
			break
		}
		count++
		if c.JSON {
			err = printJSON(env.Stdout, r)
		} else {
			err = table.row(r.ID, r.State, visible(r.Provider), shownID(r), why(r), at(r.ReceivedAt), at(r.NextTryAt))
		}
		if err != nil {
			return err
		}
	}
	if count == 0 && !c.JSON {
		_, err := fmt.Fprintln(env.Stdout, "No deletions.")
		return err
	}
	return table.flush()
}

// shownID is the external id with whatever is odd in it made visible.
func shownID(r queue.Record) string {
	switch {
	case r.Forgotten:
		return "(forgotten)"
	case r.UnusableID != "":
		return "unusable: " + visible(r.UnusableID)
	}
	return visible(r.ExternalID)
}

// why says what there is to know about the state in a word or two.
func why(r queue.Record) string {
	var text string
	switch r.State {
	case deletion.StateHeld:
		text = r.Remedy().Cause()
	case deletion.StateDone:
		text = string(r.Outcome)
	case deletion.StateCancelled:
		text = "cancelled"
	case deletion.StateReappeared:
		text = "deleted, and found again"
		if r.Verification == deletion.VerificationSubscriptionActive {
			text = "deleted, " + string(r.Verification)
		}
	case deletion.StateWaiting:
		switch {
		case r.Running:
			text = "running"
		case r.Failures > 0:
			text = "failed " + plural(int(r.Failures), "time")
		}
	}
	if r.DryRun && text != string(deletion.OutcomeDryRun) {
		text += " (dry run)"
	}
	return visible(text)
}
