package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type showCommand struct {
	ID   string `arg:"" name:"id" help:"The deletion's id, as list and the log show it, or a customer's external id: then the newest one of theirs."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run shows one deletion.
func (c *showCommand) Run(ctx context.Context, env *Env, s *session) error {
	r, err := c.find(ctx, env, s)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Stdout, r)
	}
	table := newTable(env.Stdout)
	for _, line := range describe(r) {
		if value := line[1]; value != "" && value != "-" { // else it is not known
			table.line(line[0], value)
		}
	}
	return table.flush()
}

// find looks for a deletion by its id, and then by the customer's.
func (c *showCommand) find(ctx context.Context, env *Env, s *session) (queue.Record, error) {
	id, notNumber := strconv.ParseInt(c.ID, 10, 64)
	if notNumber == nil {
		r, err := s.Find(ctx, id)
		if _, unknown := errors.AsType[*ops.RefusedError](err); !unknown {
			return r, err
		}
	}
	var newest queue.Record
	count := 0
	for r, err := range s.List(ctx, ops.Filter{ExternalID: c.ID}) {
		if err != nil {
			return newest, err
		}
		if count++; count == 1 {
			newest = r
		}
	}
	switch {
	case count == 0 && notNumber != nil:
		return newest, errors.New("there is no deletion with that external id; done and cancelled ones are kept for RETENTION only")
	case count == 0:
		return s.Find(ctx, id) // which says so
	case count > 1:
		fmt.Fprintf(env.Stderr, "The newest of %d with that external id: deletions list --external-id shows all.\n", count)
	}
	return s.Find(ctx, newest.ID)
}

// describe is a record in lines of a name and a value.
func describe(r queue.Record) [][2]string {
	state, occurred := string(r.State), at(r.OccurredAt)
	if more := why(r, ""); more != "" && more != state {
		state += ", " + more
	}
	wouldEnd, anonymized, lost := "", "", ""
	if r.DryRun {
		wouldEnd = ", which would end"
	}
	if r.OccurredAt.IsZero() { // then a customer who is found is held as recreated
		occurred = "unknown: the event has a time that cannot be read"
	}
	if r.Outcome == deletion.OutcomeDeleted {
		anonymized = yesNo(r.Anonymized)
	}
	if r.AnswerLost {
		lost = "yes: an attempt may have reached Polar although no answer was seen"
	}
	return append([][2]string{
		{"deletion", strconv.FormatInt(r.ID, 10)},
		{"state", state},
		{"provider", visible(r.Provider)},
		{"event id", visible(r.EventID)},
		{"source", visible(string(r.Source))},
		{"object", visible(string(r.Object))},
		{"trace id", r.TraceID},
		{"instance", visible(r.Instance)},
		{"user id", visible(r.UserID)},
		{"external id", ops.Who(r)},
		{"occurred", occurred},
		{"received", at(r.ReceivedAt)},
		{"next try", at(r.NextTryAt)},
		{"held since", at(r.HeldAt)},
		{"finished", at(r.FinishedAt)},
		{"verification", verification(r)},
		{"subscriptions ended", string(r.SubscriptionsEnded)},
		{"attempts", strconv.FormatInt(r.Attempts, 10)},
		{"last result", result(r)},
		{"lookup", failingLookup(r)},
		{"confirmed by", visible(string(r.ConfirmedBy))},
		{"anonymized", anonymized},
		{"polar's status", number(r.PolarStatus)},
		{"answer lost", lost},
		{"customer id", visible(r.CustomerID)},
		{"customer type", visible(r.CustomerType)},
		{"customer created", at(r.CustomerCreatedAt)},
		{"subscriptions" + wouldEnd, number(r.ActiveSubscriptions)},
		{"benefits" + wouldEnd, number(r.GrantedBenefits)},
		{"search by metadata", ops.Searched(r)},
	}, decisions(r)...)
}

// decisions are what operators did.
func decisions(r queue.Record) (lines [][2]string) {
	for _, a := range r.Approved {
		text := visible(string(a.Reason))
		if a.CustomerID != "" {
			text += " for customer " + visible(a.CustomerID)
		}
		lines = append(lines, [2]string{"approved", text})
	}
	for _, a := range r.Actions {
		lines = append(lines, [2]string{"action", at(a.At) + "  " + actionInWords(a)})
	}
	return lines
}

// actionInWords says what an operator did, who, and why.
func actionInWords(a queue.Action) string {
	text := visible(a.Action) + " by " + visible(a.By)
	if a.Reason != "" {
		text += ": " + visible(a.Reason)
	}
	return text
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

// failingLookup says for how long Polar, which works otherwise, has failed to look the
// customer up.
func failingLookup(r queue.Record) string {
	if r.LookupFailingSeconds == 0 {
		return ""
	}
	tried := time.Duration(r.LookupFailingSeconds) * time.Second
	return "has failed for " + tried.String() + " of trying, although Polar works otherwise"
}

// verification is what a lookup after the deletion came to, or when it is due.
func verification(r queue.Record) string {
	text := ops.Verified(r)
	if r.Verification == deletion.VerificationPending {
		return "due at " + at(r.VerifyAt)
	}
	if !r.VerifiedAt.IsZero() {
		text += " at " + at(r.VerifiedAt)
	}
	return text
}

// number is "" when it is not known.
func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
