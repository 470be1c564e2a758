package ops

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Retry lets a waiting or held deletion be tried now, with all its guards. It
// refuses one that is done or cancelled, and one whose request is on its way.
func (o *Operator) Retry(ctx context.Context, id int64) error {
	return o.one(ctx, id, o.retry)
}

func (o *Operator) retry(r queue.Record) (*act, error) {
	switch {
	case r.Running:
		return nil, refused(r.ID, "it is being tried right now")
	case r.State == deletion.StateWaiting:
		return &act{action: string(VerbRetry), change: o.sql.ResetFailing, again: true}, nil
	case r.State == deletion.StateHeld && r.HoldReason == deletion.HoldConflict:
		return nil, refused(r.ID, "it is held as %s: its event had named another user before, and no guard can find out which of them left; "+
			"approve it, which makes it an event of its own, or cancel it", r.HoldReason)
	case r.State == deletion.StateHeld:
		return &act{action: string(VerbRetry), reason: string(r.HoldReason), change: o.sql.Release, again: true}, nil
	case r.State == deletion.StateReappeared:
		return nil, refused(r.ID, "it is done, and that %s is another case; settle it at Polar, then acknowledge this one", reappearance(r))
	}
	if r.State == deletion.StateDone {
		return nil, refused(r.ID, "it is done, and a finished deletion is never tried again, except by redo")
	}
	return nil, refused(r.ID, "it is %s, and a finished deletion is never tried again", r.State)
}

// reappearance is what a verification has found, in words.
func reappearance(r queue.Record) string {
	if r.Verification == deletion.VerificationSubscriptionActive {
		return "a subscription of the customer is still active"
	}
	return "the customer reappeared"
}

// Approve lets a held deletion pass the guard that held it, and only that one,
// for the customer that was last seen.
func (o *Operator) Approve(ctx context.Context, id int64) error {
	return o.one(ctx, id, o.approve)
}

// Approvable says whether there is a guard that could be passed. Of the other
// reasons two say how Polar answers, the rest that no request can name the
// customer.
func Approvable(reason deletion.HoldReason) bool {
	none := []deletion.HoldReason{"", deletion.HoldForbidden, deletion.HoldUnexpected, deletion.HoldUnusableID, deletion.HoldUnaddressable}
	return !slices.Contains(none, reason)
}

func (o *Operator) approve(r queue.Record) (*act, error) {
	switch {
	case r.State == deletion.StateReappeared:
		return nil, refused(r.ID, "it is done, and %s: approving would delete nobody; look at the subscription in Polar, then acknowledge it", reappearance(r))
	case r.State != deletion.StateHeld:
		return nil, refused(r.ID, "it is %s; only held deletions can be approved", r.State)
	case r.HoldReason == deletion.HoldForbidden:
		return nil, refused(r.ID, "it is held as %s: Polar, or a proxy in front of it, answered 403, which no approval changes; "+
			"allow it there, then retry this one", r.HoldReason)
	case r.HoldReason == deletion.HoldUnexpected:
		return nil, refused(r.ID, "it is held as %s: Polar answered oddly to this one, or the customer could not be looked up, which no approval changes; "+
			"retry this one", r.HoldReason)
	case !Approvable(r.HoldReason):
		return nil, refused(r.ID, "it is held as %s: no request to Polar can name this customer, so there is nothing to approve; "+
			"find and delete the customer in Polar's dashboard, then cancel this one with that as its reason", r.HoldReason)
	}
	return &act{action: string(VerbApprove), reason: string(r.HoldReason), change: o.sql.Release, again: true, approves: r.HoldReason}, nil
}

// Cancel ends a waiting or held deletion for good. It refuses while a request is
// on its way: what Polar answers is what the deletion came to. sent says that an
// earlier request may have been done.
func (o *Operator) Cancel(ctx context.Context, id int64, reason string) (sent bool, err error) {
	err = o.one(ctx, id, func(r queue.Record) (*act, error) {
		sent = r.AnswerLost
		return o.cancel(r, reason)
	})
	return sent && err == nil, err
}

func (o *Operator) cancel(r queue.Record, reason string) (*act, error) {
	switch {
	case r.Running:
		return nil, refused(r.ID, "a request to Polar is on its way, and what Polar answers is what becomes of it; look again in half a minute")
	case r.State != deletion.StateWaiting && r.State != deletion.StateHeld:
		return nil, refused(r.ID, "it is %s already", r.State)
	}
	return &act{action: string(VerbCancel), reason: reason, change: o.sql.Cancel, values: []any{queue.Micros(o.options.Now())}}, nil
}

// Acknowledge says that somebody has seen that a customer, or a subscription of one,
// is there again: it closes the case and deletes nobody.
func (o *Operator) Acknowledge(ctx context.Context, id int64) error {
	return o.one(ctx, id, func(r queue.Record) (*act, error) {
		if r.State != deletion.StateReappeared {
			return nil, refused(id, "it is %s; only those whose customer reappeared are acknowledged", r.State)
		}
		return &act{action: "acknowledge", change: o.sql.Acknowledge}, nil
	})
}

// Verb is what may be done to many deletions at once.
type Verb string

// The verbs.
const (
	VerbApprove Verb = "approve"
	VerbRetry   Verb = "retry"
	VerbCancel  Verb = "cancel"
	VerbRedo    Verb = "redo"
)

// Chosen is a deletion as an operator is asked about it. Held again, for whatever
// reason, sent on its way again, ended otherwise or forgotten, it is another question.
type Chosen struct {
	ID         int64
	state      deletion.State
	outcome    deletion.Outcome
	forgotten  bool
	reason     deletion.HoldReason
	heldAt     time.Time
	generation int64

	// Loss is what its deletion would end, where LossKnown.
	Loss      deletion.Loss
	LossKnown bool
}

func chosen(r queue.Record) Chosen {
	c := Chosen{
		ID: r.ID, state: r.State, outcome: r.Outcome, forgotten: r.Forgotten, reason: r.HoldReason, heldAt: r.HeldAt, generation: r.Generation,
		LossKnown: r.ActiveSubscriptions != nil,
	}
	if c.LossKnown {
		c.Loss = deletion.Loss{ActiveSubscriptions: *r.ActiveSubscriptions, GrantedBenefits: *r.GrantedBenefits}
	}
	return c
}

// Choose returns what the verb can be done to now: what is held for the reason,
// or, when it is "", everything. For redo see ChooseDone.
func (o *Operator) Choose(ctx context.Context, verb Verb, reason deletion.HoldReason) ([]Chosen, error) {
	states := []deletion.State{deletion.StateHeld}
	if reason == "" && verb != VerbApprove {
		states = append(states, deletion.StateWaiting)
	}
	active, err := o.options.Bindings.Active(ctx, o.options.Reader)
	if err != nil {
		return nil, err
	}
	var found []Chosen
	for _, state := range states {
		for r, err := range o.List(ctx, Filter{State: state, Reason: reason}) {
			switch {
			case err != nil:
				return nil, err
			case r.InFlight, r.Binding != active, verb == VerbApprove && !Approvable(r.HoldReason), verb == VerbRetry && r.HoldReason == deletion.HoldConflict:
			default:
				found = append(found, chosen(r))
			}
		}
	}
	slices.SortFunc(found, func(a, b Chosen) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

const (
	// atOnce is how many deletions share one transaction in bulk: a few
	// milliseconds, after which the servers get their turn.
	atOnce = 100
	// shortestRest is the least time that servers get between two transactions.
	shortestRest = 20 * time.Millisecond
)

// Many does the verb to those that are still as they were chosen, and leaves all
// others alone. It works in batches, each of which stands whatever happens
// afterwards, and returns how many it was done to. Only cancel and redo need a
// reason.
func (o *Operator) Many(ctx context.Context, verb Verb, all []Chosen, reason string) (count int, err error) {
	do := map[Verb]decide{
		VerbApprove: o.approve, VerbRetry: o.retry,
		VerbCancel: func(r queue.Record) (*act, error) { return o.cancel(r, reason) },
		VerbRedo:   func(r queue.Record) (*act, error) { return o.redo(r, reason) },
	}[verb]
	for some := range slices.Chunk(all, atOnce) {
		began := time.Now() //nolint:forbidigo // only paces the batches
		asked := make(map[int64]Chosen, len(some))
		var ids []int64
		for _, c := range some {
			asked[c.ID] = c
			ids = append(ids, c.ID)
		}
		n, err := o.each(ctx, ids, func(r queue.Record) (*act, error) {
			question := asked[r.ID]
			delete(asked, r.ID)
			if r.InFlight || chosen(r) != question {
				return nil, nil //nolint:nilnil // it is another question by now
			}
			return do(r)
		})
		count += n
		if err != nil {
			return count, err
		}
		for id := range asked {
			o.options.Logger.Warn("a chosen deletion is not there any more: left out", zap.Int64("deletion_id", id))
		}
		if err := queue.Sleep(ctx, max(time.Since(began), shortestRest)); err != nil { //nolint:forbidigo // only paces the batches
			return count, err
		}
	}
	return count, nil
}
