package cli

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

type showCommand struct {
	ID   int64 `arg:"" name:"id" help:"The deletion's id, as list and the log show it."`
	JSON bool  `name:"json" help:"Print JSON."`
}

// Run shows one deletion.
func (c *showCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(s *session) error {
		r, err := s.Find(ctx, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(env.Stdout, r)
		}
		checked := &checkedWriter{to: env.Stdout}
		table := tabwriter.NewWriter(checked, 0, 0, 2, ' ', 0)
		for _, line := range describe(r) {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
		if err := table.Flush(); err != nil {
			return err
		}
		return checked.err
	})
}

// describe is a record in lines of a name and a value. What is not known is left out.
func describe(r queue.Record) [][2]string {
	var lines [][2]string
	add := func(name, value string) {
		if value != "" && value != "-" {
			lines = append(lines, [2]string{name, value})
		}
	}
	add("deletion", strconv.FormatInt(r.ID, 10))
	state := string(r.State)
	if more := why(r); more != "" && more != state {
		state += ", " + more
	}
	add("state", state)
	add("provider", visible(r.Provider))
	add("event id", visible(r.EventID))
	add("instance", visible(r.Instance))
	add("user id", visible(r.UserID))
	add("external id", shownID(r))
	add("occurred", occurred(r))
	add("received", at(r.ReceivedAt))
	add("next try", at(r.NextTryAt))
	add("held since", at(r.HeldAt))
	add("finished", at(r.FinishedAt))
	add("verification", verification(r))
	add("attempts", strconv.FormatInt(r.Attempts, 10))
	add("last result", result(r))
	add("confirmed by", visible(string(r.ConfirmedBy)))
	if r.Outcome == "deleted" {
		add("anonymized", yesNo(r.Anonymized))
	}
	if r.PolarStatus != 0 {
		add("polar's status", strconv.Itoa(r.PolarStatus))
	}
	if r.AnswerLost {
		add("answer lost", "yes: an attempt may have reached Polar although no answer was seen")
	}
	add("customer id", visible(r.CustomerID))
	add("customer type", visible(r.CustomerType))
	add("customer created", at(r.CustomerCreatedAt))
	add("subscriptions", number(r.ActiveSubscriptions))
	add("benefits", number(r.GrantedBenefits))
	for _, a := range r.Approved {
		text := visible(string(a.Reason))
		if a.CustomerID != "" {
			text += " for customer " + visible(a.CustomerID)
		}
		add("approved", text)
	}
	for _, a := range r.Actions {
		text := at(a.At) + "  " + visible(a.Action) + " by " + visible(a.By)
		if a.Reason != "" {
			text += ": " + visible(a.Reason)
		}
		add("action", text)
	}
	return lines
}

// occurred says when it happened, or that nobody knows: then a customer who is
// found is held as recreated.
func occurred(r queue.Record) string {
	if r.OccurredAt.IsZero() {
		return "unknown: the event has a time that cannot be read"
	}
	return at(r.OccurredAt)
}

// result is what the last attempt came to.
func result(r queue.Record) string {
	if r.Result == "" {
		return ""
	}
	text := visible(r.Result) + " at " + at(r.DecidedAt)
	if r.PolarError != "" {
		text += ", " + visible(r.PolarError)
	}
	if r.Failures > 0 {
		text += ", failed " + plural(int(r.Failures), "time")
	}
	return text
}

// verification is what a lookup after the deletion came to, or when it is due.
func verification(r queue.Record) string {
	switch r.Verification {
	case deletion.VerificationGone:
		return "nobody was found at " + at(r.VerifiedAt)
	case deletion.VerificationFound:
		return "a customer was found again at " + at(r.VerifiedAt)
	case deletion.VerificationError:
		return "Polar could not be asked"
	case deletion.VerificationPending:
		return "due at " + at(r.VerifyAt)
	}
	return ""
}

// number is "" when it is not known.
func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
