package console

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// detail is everything about one deletion.
type detail struct {
	queue.Record

	Verbs    []deletion.Verb
	Timeline []event
	// Refusals say why a verb that one might expect is not among them.
	Refusals []string
}

// event is what happened, or will.
type event struct {
	At   time.Time
	What string
	// By is who did it, "" when the program did.
	By, Reason string
}

func (c *console) detail(v *visit) error {
	id, err := strconv.ParseInt(v.PathValue("id"), 10, 64)
	if err != nil {
		return c.missing(v)
	}
	r, err := c.options.Operator.Find(v.Context(), id)
	if err != nil {
		return err
	}
	d := detail{Record: r, Verbs: ops.Verbs(r), Timeline: timeline(r)}
	for _, verb := range []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry} {
		if refused := r.Remedy().Of(verb).Refused; refused != "" {
			d.Refusals = append(d.Refusals, titled(verb)+": "+refused+".")
		}
	}
	return c.render(v, http.StatusOK, "detail", "Deletion "+strconv.FormatInt(id, 10), d)
}

// timeline is what is known of when it happened, in that order.
func timeline(r queue.Record) []event {
	events := []event{
		{At: r.OccurredAt, What: "user deleted at " + r.Provider},
		{At: r.ReceivedAt, What: "received"},
		{At: r.DecidedAt, What: attempt(r)},
		{At: r.HeldAt, What: "held"},
		{At: r.FinishedAt, What: "finished: " + string(r.Outcome)},
		{At: r.VerifiedAt, What: "verified: " + ops.Verified(r)},
	}
	if r.Source == deletion.SourceOperator {
		events[0] = event{}
	}
	if r.State == deletion.StateWaiting {
		events = append(events, event{At: r.NextTryAt, What: "next try"})
	}
	if r.State == deletion.StateHeld {
		events[3].What = "held as " + string(r.HoldReason)
	}
	if r.Verification == deletion.VerificationPending {
		events = append(events, event{At: r.VerifyAt, What: "verification is due"})
	}
	for _, a := range r.Actions {
		events = append(events, event{At: a.At, What: a.Action, By: a.By, Reason: a.Reason})
	}
	events = slices.DeleteFunc(events, func(e event) bool { return e.At.IsZero() })
	slices.SortStableFunc(events, func(a, b event) int { return a.At.Compare(b.At) })
	return events
}

// attempt is what the last attempt came to, and Polar's answer.
func attempt(r queue.Record) string {
	text := "last attempt: " + r.Result
	if r.PolarStatus != nil {
		text += ", Polar answered " + strconv.Itoa(*r.PolarStatus)
	}
	if r.PolarError != "" {
		text += " " + ops.Visible(r.PolarError)
	}
	return text
}
