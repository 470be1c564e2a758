package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type listCommand struct {
	State      deletion.State      `name:"state" placeholder:"STATE" help:"Only these: waiting, held, done, cancelled or reappeared."`
	Reason     deletion.HoldReason `name:"reason" placeholder:"REASON" help:"Only those held for this reason."`
	Outcome    endedAs             `name:"outcome" placeholder:"OUTCOME" help:"Only those that ended so: deleted, not_found, dry_run or cancelled."`
	Provider   string              `name:"provider" placeholder:"PROVIDER" help:"Only those that this provider told of."`
	Since      moment              `name:"since" placeholder:"WHEN" help:"Only those accepted since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`
	Until      moment              `name:"until" placeholder:"WHEN" help:"Only those accepted before then."`
	ExternalID externalID          `name:"external-id" placeholder:"ID" help:"Only those of this customer."`
	UserID     string              `name:"user-id" placeholder:"ID" help:"Only those of this user of the provider."`
	EventID    string              `name:"event-id" placeholder:"ID" help:"Only that of this event."`
	CustomerID string              `name:"customer-id" placeholder:"ID" help:"Only those that found this customer, by Polar's id."`
	Sort       string              `name:"sort" enum:"oldest,newest" default:"newest" placeholder:"ORDER" help:"Which come first: newest (by default) or oldest."`
	Limit      int                 `name:"limit" default:"100" placeholder:"N" help:"At most so many, 100 by default; 0 for all."`
	Watch      bool                `name:"watch" help:"Print it again every two seconds, until Ctrl-C."`
	Wide       bool                `name:"wide" help:"Print whole ids and times, in tables wider than 80 letters."`
	JSON       bool                `name:"json" help:"Print one JSON object a line."`
}

// endedAs is any outcome; redo's flag takes fewer.
type endedAs deletion.Outcome

// Validate refuses what is no number of deletions.
func (c *listCommand) Validate() error {
	switch {
	case c.Limit < 0:
		return errors.New("--limit must be 0 or more")
	case c.Watch && c.JSON:
		return errors.New("--watch is for people: it goes with tables, not with --json")
	}
	return nil
}

// watchEvery is how often --watch lists.
const watchEvery = 2 * time.Second

// Run lists deletions.
func (c *listCommand) Run(ctx context.Context, env *Env, s *session) error {
	for {
		if err := c.list(ctx, env, s); err != nil || !c.Watch {
			return err
		}
		if queue.Sleep(ctx, watchEvery) != nil {
			return nil //nolint:nilerr // somebody has seen enough
		}
		fmt.Fprintln(env.Stdout)
	}
}

func (c *listCommand) list(ctx context.Context, env *Env, s *session) error {
	filter := ops.Filter{
		State: c.State, Reason: c.Reason, Outcome: deletion.Outcome(c.Outcome), Provider: c.Provider, Since: c.Since.Time, Until: c.Until.Time,
		ExternalID: string(c.ExternalID), UserID: c.UserID, EventID: c.EventID, CustomerID: c.CustomerID, Oldest: c.Sort == "oldest", Decisions: c.JSON,
	}
	if c.Limit > 0 {
		filter.Limit = c.Limit + 1 // to know whether there are more
	}
	paused, err := c.paused(ctx, s)
	if err != nil {
		return err
	}
	table := c.table(env)
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
		cells := []any{r.ID, r.State, visible(r.Provider), ops.Who(r), why(r, paused), visible(string(r.Source))}
		switch {
		case c.JSON:
			err = printJSON(env.Stdout, r)
		case c.Wide:
			err = table.row(append(cells, at(r.ReceivedAt), at(r.NextTryAt))...)
		default:
			err = table.row(append(cells, age(r.ReceivedAt))...)
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

// paused says in some words why nothing is tried now, "" when nothing is paused.
func (c *listCommand) paused(ctx context.Context, s *session) (string, error) {
	if c.JSON {
		return "", nil
	}
	operator, err := s.Paused(ctx)
	if err != nil {
		return "", err
	}
	pauses, err := s.pauses(ctx, operator)
	if err != nil || len(pauses) == 0 {
		return "", err
	}
	text := "paused: " + pauses[0].Reason
	if c.Wide && !pauses[0].Until.IsZero() {
		text += " until " + at(pauses[0].Until)
	}
	return text, nil
}

// table has the columns of a list.
func (c *listCommand) table(env *Env) *table {
	heading := []any{"ID", "STATE", "PROVIDER", "EXTERNAL ID", "WHY", "SOURCE"}
	if c.Wide {
		return newTable(env.Stdout, append(heading, "RECEIVED (UTC)", "NEXT TRY (UTC)")...)
	}
	t := newTable(env.Stdout, append(heading, "AGE")...)
	t.shortens, t.least = slices.Index(heading, any("EXTERNAL ID")), 12
	return t
}

// why says what there is to know about the state in a word or two; paused is why
// nothing is tried, if it is so.
func why(r queue.Record, paused string) string {
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
		case paused != "":
			text = paused
		case r.Failures > 0:
			text = "failed " + plural(int(r.Failures), "time")
		}
	}
	if r.DryRun && text != string(deletion.OutcomeDryRun) {
		text += " (dry run)"
	}
	return visible(text)
}
