package deletion

import (
	"context"
	"errors"
	"fmt"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/polar"
)

// staleLooks is how often the very customer who was deleted may still be seen
// before it is believed: a replica that lags shows the past.
const staleLooks = 6

// ReasonReplica says that Polar still shows the customer who was deleted.
const ReasonReplica = "replica"

var (
	errResurrected = errors.New("there is a customer with the external id again")
	errStale       = errors.New("the deleted customer is still shown")
)

// Verify looks whether a deleted customer stayed away; a checkout that was open
// then can create it anew. It deletes nothing and changes no outcome. Errors
// are those of Apply; fault.Held with event.HoldResurrected comes with whom it
// found.
func (d *Deleter) Verify(ctx context.Context, a event.Attempt) (event.Verified, error) {
	var verified event.Verified
	err := d.withSlots(ctx, 1, func(calls context.Context) verdict {
		seen, answer, err := d.sight(calls, a.ExternalID)
		verified = event.Verified{Customer: seen.customer, PolarStatus: answer.StatusCode}
		switch {
		case seen.absent():
			verified.Verification = event.VerificationGone
			return verdict{}
		case seen.found():
			verified.Verification = event.VerificationFound
			return verdict{err: resurrected(a, seen)}
		case impossible(answer) || answer.Result == polar.ResultRejected:
			verified.Verification = event.VerificationError
			return verdict{}
		case answer.Result == polar.ResultForbidden || answer.Result == polar.ResultUnexpected:
			return d.probe(calls, answer)
		}
		return notNow(answer, err)
	})
	if err != nil {
		err = fmt.Errorf("verify deletion: %w", err)
	}
	return verified, err
}

// resurrected is what is to be done about whom a verification found: nothing
// when an operator has seen it.
func resurrected(a event.Attempt, seen sighting) error {
	switch {
	case a.Approves(event.HoldResurrected):
		return nil
	case seen.customer.ID == a.Seen.ID && a.Number < staleLooks:
		return fault.New(fault.Unavailable, ReasonReplica, "%w", errStale)
	}
	return held(event.HoldResurrected, errResurrected)
}
