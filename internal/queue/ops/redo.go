package ops

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Redoable are the outcomes whose deletions can be done again.
func Redoable() []deletion.Outcome {
	return []deletion.Outcome{deletion.OutcomeDeleted, deletion.OutcomeNotFound}
}

// Redo does a finished deletion again as if it had never been tried: all guards ask
// and the hour counts it. It is for answers that turned out to be worth nothing,
// such as those for a wrong token, or from before Polar restored a backup.
func (o *Operator) Redo(ctx context.Context, id int64, reason string) error {
	return o.one(ctx, id, func(r queue.Record) (*act, error) { return o.redo(r, reason) })
}

func (o *Operator) redo(r queue.Record, reason string) (*act, error) {
	switch {
	case r.State == deletion.StateReappeared:
		return nil, refused(r.ID, "it is done, and %s: look at the customer in Polar and acknowledge it; after that it can be done again", reappearance(r))
	case r.State == deletion.StateCancelled:
		return nil, refused(r.ID, "it is cancelled, so nobody was to be deleted; only done deletions can be done again")
	case r.State != deletion.StateDone:
		return nil, refused(r.ID, "it is %s; only done deletions can be done again", r.State)
	case r.DryRun:
		return nil, refused(r.ID, "it was a dry run, which deletes nobody however often it is done")
	case r.Forgotten:
		return nil, refused(r.ID, "it was forgotten: nobody knows any more whom it was about")
	case !slices.Contains(Redoable(), r.Outcome):
		return nil, refused(r.ID, "it ended as %s, which cannot be done again", r.Outcome)
	case r.InFlight:
		return nil, refused(r.ID, "a request to Polar is on its way, and its answer may still change what became of the deletion; look again in half a minute")
	}
	// What it came to before is taken off the row, so it stands beside the reason.
	reason = fmt.Sprintf("%s (it was %s, %s)", reason, r.Outcome, r.FinishedAt.Format(time.RFC3339))
	return &act{action: deletion.VerbRedo, reason: reason, change: o.sql.Redo, again: true, unapproves: true}, nil
}

// ChooseDone returns what can be done again now of what finished with the outcome
// since then and before until, when that is not zero.
func (o *Operator) ChooseDone(ctx context.Context, outcome deletion.Outcome, since, until time.Time) ([]Chosen, error) {
	active, err := o.options.Bindings.Active(ctx, o.options.Reader)
	if err != nil {
		return nil, err
	}
	done := o.pages(ctx, false, 0, func(last int64) ([]int64, error) {
		return queue.IDs(ctx, o.options.Reader, o.sql.Redoable, queue.Micros(since), queue.Micros(until), string(outcome), active, last, rowsAtOnce)
	})
	var found []Chosen
	for r, err := range done {
		if err != nil {
			return nil, err
		}
		if !r.InFlight {
			found = append(found, chosen(r))
		}
	}
	return found, nil
}
