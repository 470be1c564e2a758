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
		return &act{action: deletion.VerbRetry, change: o.sql.ResetFailing, again: true}, nil
	case r.Remedy().Retry.Does != "":
		return &act{action: deletion.VerbRetry, reason: string(r.HoldReason), change: o.sql.Release, again: true, unapproves: true}, nil
	case r.State == deletion.StateHeld || r.State == deletion.StateReappeared:
		return nil, refusedBy(r, r.Remedy().Retry)
	case r.State == deletion.StateDone:
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
// for the customer that was last seen. What is noted as the reason is the guard, and
// because, where that is not "".
func (o *Operator) Approve(ctx context.Context, id int64, because string) error {
	return o.one(ctx, id, func(r queue.Record) (*act, error) { return o.approve(r, because) })
}

func (o *Operator) approve(r queue.Record, because string) (*act, error) {
	switch {
	case r.State != deletion.StateHeld && r.State != deletion.StateReappeared:
		return nil, refused(r.ID, "it is %s; only held deletions can be approved", r.State)
	case r.Remedy().Approve.Does == "":
		return nil, refusedBy(r, r.Remedy().Approve)
	}
	reason := string(r.HoldReason)
	if because != "" {
		reason += ": " + because
	}
	return &act{action: deletion.VerbApprove, reason: reason, change: o.sql.Release, again: true, approves: r.HoldReason}, nil
}

// refusedBy says why the deletion's remedy refuses.
func refusedBy(r queue.Record, e deletion.Effect) error {
	if r.State == deletion.StateReappeared {
		return refused(r.ID, "it is done, and %s: %s", reappearance(r), e.Refused)
	}
	return refused(r.ID, "it is held as %s: %s", r.HoldReason, e.Refused)
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
	return &act{action: deletion.VerbCancel, reason: reason, change: o.sql.Cancel, values: []any{queue.Micros(o.options.Now())}}, nil
}

// Acknowledge says that somebody has seen that a customer, or a subscription of one,
// is there again: it closes the case and deletes nobody.
func (o *Operator) Acknowledge(ctx context.Context, id int64) error {
	return o.one(ctx, id, o.acknowledge)
}

func (o *Operator) acknowledge(r queue.Record) (*act, error) {
	if r.Remedy().Acknowledge.Does == "" {
		return nil, refused(r.ID, "it is %s; only those whose customer reappeared are acknowledged", r.State)
	}
	return &act{action: deletion.VerbAcknowledge, change: o.sql.Acknowledge}, nil
}

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

// Choose returns what of the filter's deletions the verb can be done to now, in the
// order of their acceptance: at most the filter's limit of them. For redo see ChooseDone.
func (o *Operator) Choose(ctx context.Context, verb deletion.Verb, f Filter) ([]Chosen, error) {
	states := []deletion.State{f.State}
	if f.State == "" && f.Reason == "" {
		states = deletion.PendingStates()
	}
	active, err := o.options.Bindings.Active(ctx, o.options.Reader)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Oldest, f.After, f.Limit = true, 0, 0
	var found []Chosen
	for _, f.State = range states {
		count := 0
		for r, err := range o.List(ctx, f) {
			if err != nil {
				return nil, err
			}
			if !choosable(r, verb, active) {
				continue
			}
			found = append(found, chosen(r))
			if count++; count == limit {
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b Chosen) int { return cmp.Compare(a.ID, b.ID) })
	if limit > 0 {
		found = found[:min(len(found), limit)]
	}
	return found, nil
}

// ChooseIDs returns which of the deletions the verb can be done to now, and the ids of
// the others.
func (o *Operator) ChooseIDs(ctx context.Context, verb deletion.Verb, ids []int64) (found []Chosen, others []int64, err error) {
	active, err := o.options.Bindings.Active(ctx, o.options.Reader)
	if err != nil {
		return nil, nil, err
	}
	records, err := o.Records(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	can := map[int64]bool{}
	for _, r := range records {
		if choosable(r, verb, active) {
			can[r.ID] = true
			found = append(found, chosen(r))
		}
	}
	return found, slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return can[id] }), nil
}

// choosable says whether the verb can be done to it, while the database belongs to the
// active organization.
func choosable(r queue.Record, verb deletion.Verb, active int64) bool {
	return !r.InFlight && r.Binding == active && slices.Contains(Verbs(r), verb)
}

// Verbs are what can be done to a deletion that is not done, as it stands.
func Verbs(r queue.Record) []deletion.Verb {
	if r.State == deletion.StateWaiting {
		return []deletion.Verb{deletion.VerbRetry, deletion.VerbCancel}
	}
	var verbs []deletion.Verb
	for _, verb := range []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry, deletion.VerbAcknowledge} {
		if r.Remedy().Of(verb).Does != "" {
			verbs = append(verbs, verb)
		}
	}
	if r.State == deletion.StateHeld {
		verbs = append(verbs, deletion.VerbCancel)
	}
	return verbs
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
// afterwards, and returns how many it was done to, and the ids of those it left alone.
// Only cancel and redo need a reason.
func (o *Operator) Many(ctx context.Context, verb deletion.Verb, all []Chosen, reason string) (count int, left []int64, err error) {
	do := map[deletion.Verb]decide{
		deletion.VerbApprove: func(r queue.Record) (*act, error) { return o.approve(r, reason) },
		deletion.VerbRetry:   o.retry, deletion.VerbAcknowledge: o.acknowledge,
		deletion.VerbCancel: func(r queue.Record) (*act, error) { return o.cancel(r, reason) },
		deletion.VerbRedo:   func(r queue.Record) (*act, error) { return o.redo(r, reason) },
	}[verb]
	for some := range slices.Chunk(all, atOnce) {
		began := time.Now() //nolint:forbidigo // only paces the batches
		asked, same := make(map[int64]Chosen, len(some)), make(map[int64]bool, len(some))
		var ids []int64
		for _, c := range some {
			asked[c.ID] = c
			ids = append(ids, c.ID)
		}
		n, err := o.each(ctx, ids, func(r queue.Record) (*act, error) {
			same[r.ID] = !r.InFlight && chosen(r) == asked[r.ID]
			if !same[r.ID] {
				return nil, nil //nolint:nilnil // it is another question by now
			}
			return do(r)
		})
		count += n
		if err != nil {
			return count, left, err
		}
		for _, id := range ids {
			same, there := same[id]
			if !same {
				left = append(left, id)
			}
			if !there {
				o.options.Logger.Warn("a chosen deletion is not there any more: left out", zap.Int64("deletion_id", id))
			}
		}
		if err := queue.Sleep(ctx, max(time.Since(began), shortestRest)); err != nil { //nolint:forbidigo // only paces the batches
			return count, left, err
		}
	}
	return count, left, nil
}
