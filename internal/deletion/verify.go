package deletion

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

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

// askScopeAgain is how long after Polar said that the token lacks the scope of the
// question about subscriptions it is put again: a token may be given another scope.
const askScopeAgain = 24 * time.Hour

// Verify looks whether a deleted customer stayed away; a checkout that was open
// then can create them again. Where nobody is found and the token may ask, it asks
// as well whether their subscriptions ended. It deletes nothing and changes no
// outcome. It says what it found, or decides to look again: Wait or Retry. tries
// counts the lookups, from 1.
func (d *Deleter) Verify(ctx context.Context, a Attempt, tries int) (Verification, Observed, Decision) {
	ctx = polar.WithTraceparent(ctx, a.Traceparent.child())
	verification := VerificationError
	asks, requests := a.Seen.ID != "" && d.maySeeSubscriptions(), 1
	if asks {
		requests = 2
	}
	if a.foundByMetadata() {
		requests++
	}
	seen, decision := d.withPermit(ctx, requests, func(ctx context.Context, _ Permit, seen *Observed) (decision Decision) {
		if verification, decision = d.lookAgain(ctx, a, tries, seen); verification != VerificationGone || !asks {
			return decision
		}
		decision = d.askSubscriptions(ctx, a, tries, seen)
		if seen.SubscriptionsEnded == SubscriptionsEndedNo {
			verification = VerificationSubscriptionActive
		}
		return decision
	})
	return verification, seen, decision
}

// lookAgain makes the lookup of a verification.
func (d *Deleter) lookAgain(ctx context.Context, a Attempt, tries int, seen *Observed) (Verification, Decision) {
	found, answer, err := d.findAgain(ctx, a)
	seen.see(answer)
	seen.Customer = found.customer
	switch {
	case found.saw == SawNobody:
		return VerificationGone, nil
	case found.saw == SawCustomer && found.customer.ID == a.Seen.ID && tries < staleLookups:
		return VerificationError, Retry{Reason: RetryReplica, Err: errors.New("the deleted customer is still shown")}
	case found.saw == SawCustomer:
		return VerificationFound, nil
	case impossible(answer) || answer.Result == polar.ResultRejected:
		return VerificationError, nil
	case answer.Result == polar.ResultForbidden || answer.Result == polar.ResultUnexpected:
		decision := d.probeOdd(ctx, answer)
		if _, odd := decision.(Hold); odd {
			decision = nil // Polar is odd about this one: no reason to call anybody
		}
		return VerificationError, decision
	}
	return VerificationError, retryOrPause(ctx, answer, err)
}

// findAgain looks the external id up, and before that the customer who was found by
// metadata and has none.
func (d *Deleter) findAgain(ctx context.Context, a Attempt) (lookup, polar.Answer, error) {
	if a.foundByMetadata() {
		if found, answer, err := d.findByID(ctx, a.Seen); found.saw != SawNobody {
			return found, answer, err
		}
	}
	return d.find(ctx, a.ExternalID)
}

// askSubscriptions asks whether the subscriptions of the deleted customer ended. They
// end a moment after the customer, and Polar answers from a replica, so one that is
// active is asked for again. No answer but 429 says anything about deletions, and none
// keeps the verification from its end.
func (d *Deleter) askSubscriptions(ctx context.Context, a Attempt, tries int, seen *Observed) Decision {
	if !d.scoped.Load() { // so that a token without the scope is refused once, not once for each worker
		d.asking.Lock()
		defer d.asking.Unlock()
		if !d.maySeeSubscriptions() {
			return nil
		}
	}
	active, answer, err := d.options.Polar.HasActiveSubscription(ctx, a.Seen.ID)
	again := tries < staleLookups
	d.scoped.Store(answer.Result == polar.ResultFound)
	switch {
	case answer.Result == polar.ResultFound && active && again:
		return Retry{Reason: RetryReplica, Err: errors.New("a subscription of the deleted customer is still shown as active")}
	case answer.Result == polar.ResultFound && active:
		seen.SubscriptionsEnded = SubscriptionsEndedNo
	case answer.Result == polar.ResultFound:
		seen.SubscriptionsEnded = SubscriptionsEndedYes
	case answer.LacksScope():
		d.subscriptionsHidden()
	case answer.Result == polar.ResultRateLimited, again && answer.Result == polar.ResultNetworkError, again && answer.Result == polar.ResultServerError:
		decision := retryOrPause(ctx, answer, err)
		if retry, ok := decision.(Retry); ok {
			retry.Outage = false // the lookup was answered
			return retry
		}
		return decision
	default:
		d.options.Logger.Warn("Polar does not say whether subscriptions ended", zap.Int("polar_status", answer.StatusCode), zap.Error(err))
	}
	return nil
}

// maySeeSubscriptions reports whether the question is worth a request.
func (d *Deleter) maySeeSubscriptions() bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.hidden.IsZero() || d.options.Now().Sub(d.hidden).Abs() >= askScopeAgain
}

// subscriptionsHidden notes that the token lacks the scope.
func (d *Deleter) subscriptionsHidden() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.hidden = d.options.Now()
	d.options.Logger.Info("the token lacks the scope subscriptions:read: Polar is not asked whether the subscriptions of deleted customers ended")
}
