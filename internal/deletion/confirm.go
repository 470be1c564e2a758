package deletion

import (
	"context"
	"errors"
)

// Confirmer asks an identity provider whether a user is really gone. It is
// asked before any permit is acquired: what it may take is its own business.
type Confirmer interface {
	// Confirm returns nil when the user is gone, or when that provider cannot be
	// asked about users. Otherwise it decides: Hold when the user still exists,
	// Wait or Retry to be asked again later. It must answer within a few seconds:
	// an attempt's time is bounded, and what is spent here is missing at Polar.
	Confirm(ctx context.Context, a Attempt) Decision
}

// confirm asks whether the user is gone at the identity provider. What an
// operator has approved passes.
func (d *Deleter) confirm(ctx context.Context, a Attempt) Decision {
	if d.options.Confirmer == nil {
		return nil
	}
	decision := d.options.Confirmer.Confirm(ctx, a)
	if decision != nil && errors.Is(ctx.Err(), context.Canceled) {
		return Stopping()
	}
	if hold, ok := decision.(Hold); ok && a.Approves(hold.Reason, "") {
		return nil
	}
	return decision
}
