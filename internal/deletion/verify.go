package deletion

import (
	"context"
	"errors"

	"github.com/polar-bridge/polar-bridge/polar"
)

// Verification is what a look some time after a deletion came to. The set is
// closed.
type Verification string

// What a verification comes to.
const (
	VerificationPending Verification = "pending" // it is still to come
	VerificationGone    Verification = "gone"    // nobody has the external id
	VerificationFound   Verification = "found"   // somebody has it again
	VerificationError   Verification = "error"   // Polar could not be asked

	// VerificationSubscriptionActive says that nobody has it, but that a
	// subscription of the customer who was deleted is still active.
	VerificationSubscriptionActive Verification = "subscription_active"
)

// Verifications lists every Verification that came to something.
func Verifications() []Verification {
	return []Verification{VerificationGone, VerificationFound, VerificationSubscriptionActive, VerificationError}
}

// SubscriptionsEnded says whether the subscriptions of a deleted customer have
// ended. The set is closed.
type SubscriptionsEnded string

// What is known about them once the deletion was verified.
const (
	SubscriptionsEndedYes      SubscriptionsEnded = "yes"       // Polar knows no active one
	SubscriptionsEndedNo       SubscriptionsEnded = "no"        // one is still active
	SubscriptionsEndedNotAsked SubscriptionsEnded = "not asked" // Polar was not asked, or did not say
)

// staleLookups is how often the very customer who was deleted may still be seen
// before it is believed: a replica that lags shows the past.
const staleLookups = 6

// Verify looks whether a deleted customer stayed away; a checkout that was open
// then can create them again. It deletes nothing and changes no outcome. It says
// what it found, or decides to look again: Wait or Retry. tries counts the
// lookups, from 1.
func (d *Deleter) Verify(ctx context.Context, a Attempt, tries int) (Verification, Observed, Decision) {
	verification := VerificationError
	seen, decision := d.withPermit(ctx, 1, func(ctx context.Context, _ Permit, seen *Observed) Decision {
		found, answer, err := d.find(ctx, a.ExternalID)
		seen.see(answer)
		seen.Customer = found.customer
		switch {
		case found.saw == SawNobody:
			verification = VerificationGone
			return nil
		case found.saw == SawCustomer && found.customer.ID == a.Seen.ID && tries < staleLookups:
			return Retry{Reason: RetryReplica, Err: errors.New("the deleted customer is still shown")}
		case found.saw == SawCustomer:
			verification = VerificationFound
			return nil
		case impossible(answer) || answer.Result == polar.ResultRejected:
			return nil
		case answer.Result == polar.ResultForbidden || answer.Result == polar.ResultUnexpected:
			decision := d.probe(ctx, answer)
			if _, odd := decision.(Hold); odd {
				return nil // Polar is odd about this one: no reason to call anybody
			}
			return decision
		}
		return retryOrPause(ctx, answer, err)
	})
	return verification, seen, decision
}
