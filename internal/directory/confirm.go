package directory

import (
	"context"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

const (
	// lookFor is how long after its arrival a deletion may find the user still
	// there before it is held: what providers answer may lag.
	lookFor = 10 * time.Minute
	// lookAgain is the time between two looks meanwhile.
	lookAgain = 30 * time.Second
	// patience bounds one question, so that time is left for Polar.
	patience = 5 * time.Second
)

// Reasons for which a deletion waits. They are for the log.
const (
	reasonStillThere = "user_still_there"
	reasonTooEarly   = "directory_lag"
	reasonNotAsked   = "not_confirmed"
)

// Confirmer asks the directories.
type Confirmer struct {
	sources map[string]Source
	now     func() time.Time
}

// NewConfirmer returns a Confirmer that asks these sources, by the name of the route
// that a deletion came by. Webhooks from elsewhere pass; what only a comparison
// found waits until its provider is among them.
func NewConfirmer(sources map[string]Source, now func() time.Time) *Confirmer {
	return &Confirmer{sources: sources, now: now}
}

// Gone returns nil when the provider states that the user is gone, or is not
// asked. Errors: fault.Held as event.HoldUserExists when the user still exists
// after a while, or when the event names the customer by an id of the operator's
// own and not the user, who may still exist, and as event.HoldOtherInstance when
// the event comes from elsewhere than the answer; fault.Paused to look again; and whatever
// kept the provider from a clear answer, which never is a yes.
func (c *Confirmer) Gone(ctx context.Context, a event.Attempt) error {
	source, asked := c.sources[a.Provider]
	if !asked {
		return unasked(a)
	}
	if a.UserID == "" {
		return fault.New(fault.Held, string(event.HoldUserExists), "the event names a customer, but not which user of the provider it is about: whether they still exist cannot be asked")
	}
	age := c.now().Sub(a.ReceivedAt)
	if early := source.ReadLag - age; early > 0 {
		return fault.New(fault.Paused, reasonTooEarly, "too early to ask the provider").After(min(early, source.ReadLag))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := source.IsDeleted(ctx, a.UserID)
	switch {
	case err != nil:
		return err
	case answer.Deleted:
		return sameInstance(a, answer)
	case age >= 0 && age < lookFor:
		return fault.New(fault.Paused, reasonStillThere, "the user still exists at the provider").After(min(lookAgain, lookFor-age))
	}
	return fault.New(fault.Held, string(event.HoldUserExists), "the user still exists at the provider: the event is forged, the user was linked to another, or is back")
}

// sameInstance holds what another instance told of than the one that was asked,
// which knows nobody there, living or not.
func sameInstance(a event.Attempt, answer Answer) error {
	if a.Instance == "" || answer.Instance == "" || a.Instance == answer.Instance {
		return nil
	}
	return fault.New(fault.Held, string(event.HoldOtherInstance), "the user was one of %q, and %q was asked: whether the user is gone is not known", a.Instance, answer.Instance)
}

// unasked is the verdict on a deletion whose provider is not asked here.
func unasked(a event.Attempt) error {
	if !a.Compared() {
		return nil
	}
	return fault.New(fault.Unavailable, reasonNotAsked,
		"no webhook told of this deletion, and this server cannot ask %s: give it the provider's API credentials, and leave CONFIRM on", a.Provider)
}
