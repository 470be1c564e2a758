package deletion

import (
	"errors"
	"time"
)

// clocksDiffer is how much younger than the event a customer may be and still
// count as older: two clocks are compared, the identity provider's and Polar's,
// and some providers tell whole seconds. More than that would be a way past the
// guard; who signs up and deletes the account within a few seconds is a test.
const clocksDiffer = 5 * time.Second

// recreated holds the deletion of a customer who did not exist yet when the
// event happened: a late or replayed event must not end a new subscription.
// When nobody knows when it happened, every customer may be such a one.
func (d *Deleter) recreated(a Attempt, found lookup) Decision {
	if !d.options.HoldRecreated || found.saw != SawCustomer || a.Approves(HoldRecreated, found.customer.ID) {
		return nil
	}
	switch {
	case a.OccurredAt.IsZero():
		return Hold{Reason: HoldRecreated, Err: errors.New("the event's time cannot be read, so the customer may have been created after the user was deleted")}
	case found.customer.CreatedAt.After(a.OccurredAt.Add(clocksDiffer)):
		return Hold{Reason: HoldRecreated, Err: errors.New("the customer was created after the user was deleted")}
	}
	return nil
}
