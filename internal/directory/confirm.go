package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

const (
	// existsFor is how long after its arrival a deletion may find that the user
	// still exists before it is held: what providers answer may lag.
	existsFor     = 10 * time.Minute
	recheckAfter  = 30 * time.Second // the time between two lookups meanwhile
	lookupTimeout = 5 * time.Second  // bounds one lookup, so that time is left for Polar
)

// Confirmer is the guard that asks the identity provider, right before a customer
// is deleted, whether the user is really gone. It ends what a stolen webhook
// secret could do, and what linked or restored users would lose.
type Confirmer struct {
	sources    map[string]Source
	outboxOnly bool
	now        func() time.Time
}

// NewConfirmer returns a Confirmer that asks these sources, by the name of the
// route that a deletion came by. Webhooks from elsewhere pass; what only a
// reconciliation found, or a row of an outbox claims, waits until its provider is
// among them. With outboxOnly the sources are asked about such rows alone.
func NewConfirmer(sources map[string]Source, outboxOnly bool, now func() time.Time) *Confirmer {
	return &Confirmer{sources: sources, outboxOnly: outboxOnly, now: now}
}

// Confirm returns nil when the provider states that the user is gone, or is not
// asked. Otherwise it decides: Hold as deletion.HoldUserExists when the user still
// exists after a while, or when the event names the customer by an id of the
// operator's own and not the user, who may still exist, or by an id that none of the
// provider's users has, and as deletion.HoldOtherInstance when the event comes from another instance than the
// answer; Wait to look again; and Retry after whatever kept the provider from a
// clear answer, which never is a yes.
func (c *Confirmer) Confirm(ctx context.Context, a deletion.Attempt) deletion.Decision {
	source, asked := c.sources[a.Provider]
	claimed := a.Source == deletion.SourceOutbox
	asked = asked && (claimed || !c.outboxOnly)
	switch {
	case !asked && claimed:
		return deletion.Retry{Reason: deletion.RetryUnconfirmed, Err: fmt.Errorf(
			"a row of the outbox is no proof, and this server cannot ask %s: set AUTH_DATABASE_URL, and AUTH_DATABASE_SCHEMA or AUTH_DATABASE_USERS as before", a.Provider)}
	case !asked && a.Reconciled():
		return deletion.Retry{Reason: deletion.RetryUnconfirmed, Err: fmt.Errorf(
			"no webhook told of this deletion, and this server cannot ask %s: give it the provider's API credentials, and leave CONFIRM on", a.Provider)}
	case !asked:
		return nil
	case a.Object == deletion.ObjectOrganization:
	case a.UserID == "":
		return deletion.Hold{Reason: deletion.HoldUserExists, Err: errors.New("the event names a customer, but not which user of the provider it is about: whether they still exist cannot be asked")}
	}
	age := c.now().Sub(a.ReceivedAt)
	if early := source.ReadLag - age; early > 0 {
		return deletion.Wait{Reason: deletion.WaitDirectoryLag, For: min(early, source.ReadLag), Err: errors.New("it is too early to ask the provider")}
	}
	isDeleted, ownsID, id, object := source.IsDeleted, source.OwnsID, a.UserID, deletion.ObjectUser
	if a.Object == deletion.ObjectOrganization {
		if source.Organizations == nil {
			return deletion.Hold{Reason: deletion.HoldUserExists, Err: fmt.Errorf("%s cannot be asked whether the organization still exists", a.Provider)}
		}
		isDeleted, ownsID, id, object = source.Organizations.IsDeleted, source.Organizations.OwnsID, a.ExternalID, a.Object
	}
	if !ownsID(id) { // there is none with that id, and what has it may exist
		return deletion.Hold{Reason: deletion.HoldUserExists, Err: fmt.Errorf("the event's id has another form than the id of a %s of %s", object, a.Provider)}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	answer, err := isDeleted(ctx, id)
	unanswered, known := errors.AsType[*Error](err)
	switch {
	case known && unanswered.RetryAfter > 0:
		return deletion.Wait{Reason: deletion.WaitDirectory, For: unanswered.RetryAfter, Err: err}
	case known:
		return deletion.Retry{Reason: unanswered.Reason, Err: err}
	case err != nil:
		return deletion.Retry{Reason: deletion.RetryDirectoryUnavailable, Err: err}
	case answer.Deleted && a.Instance != "" && answer.Instance != "" && a.Instance != answer.Instance:
		// The instance that was asked knows nobody of the other one, existing or not.
		return deletion.Hold{Reason: deletion.HoldOtherInstance, Err: fmt.Errorf(
			"the %[1]s was one of %[2]q, and %[3]q was asked: whether the %[1]s is gone is not known", object, a.Instance, answer.Instance)}
	case answer.Deleted:
		return nil
	}
	err = fmt.Errorf("the %[1]s still exists at the provider: the event is forged, the %[1]s was linked to another, or is back", object)
	// A row of the outbox was committed with the deletion, and who has approved it
	// waits for no other answer.
	if !claimed && !a.Approves(deletion.HoldUserExists, "") && age >= 0 && age < existsFor {
		return deletion.Wait{Reason: deletion.WaitUserPresent, For: min(recheckAfter, existsFor-age), Err: err}
	}
	return deletion.Hold{Reason: deletion.HoldUserExists, Err: err}
}
