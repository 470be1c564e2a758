package deletion

import (
	"context"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Confirmer asks an identity provider whether a user is really gone. It is
// asked before any slot is taken: what it may take is its own business.
type Confirmer interface {
	// Gone returns nil when the user is gone, or when that provider cannot be
	// asked about users. Errors: fault.Held with the reason when the user still
	// exists; fault.Paused or fault.Unavailable to be asked again later. It must
	// answer within a few seconds: an attempt's time is bounded, and what is
	// spent here is missing at Polar.
	Gone(ctx context.Context, a event.Attempt) error
}

// confirm asks whether the user is gone at the identity provider. What an
// operator has approved passes.
func (d *Deleter) confirm(ctx context.Context, a event.Attempt) error {
	if d.options.Confirmer == nil {
		return nil
	}
	err := d.options.Confirmer.Gone(ctx, a)
	if fault.KindOf(err) == fault.Held && a.Approves(event.HoldReason(fault.ReasonOf(err))) {
		return nil
	}
	return err
}
