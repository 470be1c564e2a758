package deletion

import (
	"context"
	"errors"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// Window counts deletions and says when there are too many.
type Window interface {
	// Admit counts the deletion, once however often it is tried, and reports
	// whether it may go on. Error: fault.Unavailable.
	Admit(ctx context.Context, deletionID int64) (bool, error)
}

var errMass = errors.New("more customers would be deleted within an hour than MAX_DELETIONS_PER_HOUR allows")

// mass holds deletions beyond what is usual: a removed connection or a stolen
// signing secret deletes thousands. It is the last guard, because whatever it
// counts may be deleted. Only customers count, so that those who never bought
// anything take no place; where Polar cannot tell, everybody may be one.
func (d *Deleter) mass(ctx context.Context, a event.Attempt, seen sighting) error {
	if d.options.Window == nil || !d.options.LookBeforeDelete || seen.absent() || a.Approves(event.HoldMassDeletion) {
		return nil
	}
	admitted, err := d.options.Window.Admit(ctx, a.ID)
	if err != nil {
		return err
	}
	if !admitted {
		return held(event.HoldMassDeletion, errMass)
	}
	return nil
}
