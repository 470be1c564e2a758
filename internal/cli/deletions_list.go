package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type listCommand struct {
	State      string `name:"state" default:"" placeholder:"STATE" help:"Only these: waiting, held, done, cancelled or reappeared."`
	Since      string `name:"since" placeholder:"WHEN" help:"Only those accepted since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`
	ExternalID string `name:"external-id" placeholder:"ID" help:"Only those of this customer."`
	UserID     string `name:"user-id" placeholder:"ID" help:"Only those of this user of the provider."`
	CustomerID string `name:"customer-id" placeholder:"ID" help:"Only those that found this customer, by Polar's id."`
	Provider   string `name:"provider" placeholder:"PROVIDER" help:"Only those that this provider told of."`
	Reason     string `name:"reason" placeholder:"REASON" help:"Only those held for this reason."`
	Limit      int    `name:"limit" default:"100" placeholder:"N" help:"At most so many, 100 by default; 0 for all."`
	JSON       bool   `name:"json" help:"Print one JSON object a line."`
}

// Run lists deletions.
func (c *listCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	from, err := since(c.Since, time.Now())
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usage("--limit must be 0 or more")
	}
	reason, err := holdReason("--reason", c.Reason)
	if err != nil {
		return err
	}
	if c.ExternalID != "" {
		if err := deletion.CheckExternalID(c.ExternalID); err != nil {
			return usage("--external-id: no deletion can have it: %w", err)
		}
	}
	state, err := stateOf(c.State)
	if err != nil {
		return err
	}
	filter := ops.Filter{
		State: state, Since: from, ExternalID: c.ExternalID, UserID: c.UserID, CustomerID: c.CustomerID, Provider: c.Provider, Reason: reason, Limit: c.Limit,
	}
	return group.use(ctx, env, loader, func(s *session) error {
		if c.Limit > 0 {
			filter.Limit++ // to know whether there are more
		}
		row, flush := c.printer(env.Stdout)
		count := 0
		for r, err := range s.List(ctx, filter) {
			if err != nil {
				return err
			}
			if count++; c.Limit > 0 && count > c.Limit {
				fmt.Fprintf(env.Stderr, "There are more than %d: choose with --state, --reason, --since or --external-id, or add --limit 0.\n", c.Limit)
				break
			}
			if err := row(r); err != nil {
				return err
			}
		}
		return flush(count)
	})
}

// flushEvery is after how many rows a table is printed, so that a million of
// them needs no memory. Each part is aligned for itself.
const flushEvery = 500

// printer prints records, as a table or as JSON.
func (c *listCommand) printer(w io.Writer) (row func(queue.Record) error, flush func(count int) error) {
	if c.JSON {
		return func(r queue.Record) error { return printJSON(w, r) }, func(int) error { return nil }
	}
	checked := &checkedWriter{to: w}
	table := tabwriter.NewWriter(checked, 0, 0, 2, ' ', 0)
	rows := 0
	row = func(r queue.Record) error {
		if rows%flushEvery == 0 {
			if err := errors.Join(table.Flush(), checked.err); err != nil {
				return err
			}
			fmt.Fprintln(table, "ID\tSTATE\tPROVIDER\tEXTERNAL ID\tWHY\tRECEIVED\tNEXT TRY")
		}
		rows++
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, visible(r.Provider), shownID(r), why(r), at(r.ReceivedAt), at(r.NextTryAt))
		return err
	}
	return row, func(count int) error {
		if count == 0 {
			fmt.Fprintln(table, "No deletions.")
		}
		return errors.Join(table.Flush(), checked.err)
	}
}

// checkedWriter remembers its first error.
type checkedWriter struct {
	to  io.Writer
	err error
}

// Write implements io.Writer.
func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
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
		text = string(r.HoldReason)
	case deletion.StateDone:
		text = string(r.Outcome)
	case deletion.StateCancelled:
		text = "cancelled"
	case deletion.StateReappeared:
		text = "deleted, and found again"
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

// at shows a time to the second, in UTC.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
