package deletion

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/polar"
)

// Object is what was deleted at an identity provider. The set is closed; "" is a user.
type Object string

// What is deleted.
const (
	ObjectUser         Object = "user"
	ObjectOrganization Object = "organization" // of users: a shop that sells to businesses bills it, and not them
)

// Deletion says that one user, or organization, was deleted at an identity provider
// and that the customer with ExternalID has to go at Polar.
type Deletion struct {
	Provider string // the route's name, for example "clerk"
	// Object is what was deleted.
	Object Object `json:",omitzero"`
	// EventID identifies the event at its provider. Provider and EventID
	// together are the idempotency key: a repeat carries the same pair.
	EventID string
	// UserID is the provider's own id of the deleted user; it may differ from
	// ExternalID when the shop maps its own ids. Empty when unusable, and of an
	// organization, whose own id is the ExternalID.
	UserID string
	// ExternalID is Polar's external id of the customer. It satisfies
	// CheckExternalID unless UnusableID is set, and then it is empty.
	ExternalID string
	// UnusableID is set when the event is authentic but its id cannot name a
	// customer: the offending value, quoted and cut by QuoteID.
	UnusableID string
	// Instance is the provider's instance or tenant that the user was one of, ""
	// when the event does not say. No other one can tell whether the user is gone.
	Instance string `json:",omitzero"`
	// Source is what told of it; "" is a webhook, or, by the event's id, a reconciliation.
	Source Source `json:",omitzero"`
	// Traceparent is the trace that its webhook is part of.
	Traceparent Traceparent `json:",omitzero"`
	// OccurredAt is when the provider says it happened, see Occurred; ReceivedAt
	// when it says nothing about it, and zero when nobody can tell what it says.
	OccurredAt time.Time
	ReceivedAt time.Time // when the webhook arrived here
}

// reconcilePrefix begins the ids of events that no provider sent.
const reconcilePrefix = "reconcile:"

// ReconcileEventID is the id of the event that a reconciliation with the
// provider's users makes up for Polar's customer with that id: the same each
// time, so that a repeat is recognised.
func ReconcileEventID(customerID string) string { return reconcilePrefix + customerID }

// Reconciled says that no webhook told of the deletion: it was concluded from a
// reconciliation, and needs the provider's own word before it is carried out.
func (d Deletion) Reconciled() bool { return strings.HasPrefix(d.EventID, reconcilePrefix) }

// ReconciledCustomer is Polar's id of the customer whom a reconciliation found, ""
// when it was none that told of the deletion.
func (d Deletion) ReconciledCustomer() string {
	id, found := strings.CutPrefix(d.EventID, reconcilePrefix)
	if !found {
		return ""
	}
	return id
}

// CountedAs is whose deletion metrics count it as: the provider's, or, of a test, none's.
func (d Deletion) CountedAs() string {
	if d.Source == SourceSelftest {
		return string(SourceSelftest)
	}
	return d.Provider
}

// maxFuture is how far ahead of ours a provider's clock is believed.
const maxFuture = 5 * time.Minute

// firstYear is before any deletion that a provider can tell of: a time that lies
// earlier is an empty value or one in another unit.
const firstYear = 2015

// Occurred returns when a provider says that something happened, however long
// ago: Svix keeps messages for 90 days and signs them again when it resends them.
// More than 5 minutes after received counts as received. ok is false when claimed
// lies before 2015 and so says nothing.
//
// https://docs.svix.com/retention
func Occurred(claimed, received time.Time) (at time.Time, ok bool) {
	if claimed.UTC().Year() < firstYear {
		return time.Time{}, false
	}
	if claimed.After(received.Add(maxFuture)) {
		return received, true
	}
	return claimed.UTC(), true
}

// Delivery is what one authentic webhook request said.
type Delivery struct {
	EventID      string       // the delivery's id, for the log; empty when it has none of its own
	Deletions    []Deletion   // the deletions in it, in the order they were sent
	Ignored      int          // counts the events in it that are of no interest
	IgnoreReason IgnoreReason // why, when all or the last of them were ignored
	Gateway      GatewayCheck `json:",omitzero"` // what the signature of a gateway on the way was worth
}

// GatewayCheck says what the signature of a gateway was worth on an authentic
// delivery. The set is closed.
type GatewayCheck string

// What a gateway's signature was worth.
const (
	GatewayAbsent     GatewayCheck = ""           // there was none, or no gateway is configured
	GatewayMatched    GatewayCheck = "matched"    // right, and the provider's was enough
	GatewayNeeded     GatewayCheck = "needed"     // right, and the provider's was too old without it
	GatewayMismatched GatewayCheck = "mismatched" // by another secret, and the provider's was enough
)

// GatewayChecks lists those of deliveries that had a signature.
func GatewayChecks() []GatewayCheck {
	return []GatewayCheck{GatewayMatched, GatewayNeeded, GatewayMismatched}
}

// Matching returns the delivery without the deletions of usable ids that the pattern
// does not match, which are ignored, each alone. The pattern matches anywhere in the
// id unless it is anchored, and nil matches all. Unusable ids stay: they name nobody,
// so a human has to see them.
func (d Delivery) Matching(pattern *regexp.Regexp) Delivery {
	if pattern == nil {
		return d
	}
	var kept []Deletion
	for _, one := range d.Deletions {
		if one.UnusableID != "" || pattern.MatchString(one.ExternalID) {
			kept = append(kept, one)
			continue
		}
		d.Ignored++
		d.IgnoreReason = IgnorePattern
	}
	d.Deletions = kept
	return d
}

// IgnoreReason says why an authentic event is of no interest. The set is closed.
type IgnoreReason string

// Why an authentic event is ignored.
const (
	IgnoreOtherType     IgnoreReason = "other_type"     // not a user's deletion
	IgnoreTestEvent     IgnoreReason = "test_event"     // the provider marks it as a test
	IgnoreOtherInstance IgnoreReason = "other_instance" // from another instance or stream than the configured one
	IgnoreNoExternalID  IgnoreReason = "no_external_id" // the optional id that maps to Polar is absent
	IgnorePattern       IgnoreReason = "pattern"        // the id does not match EXTERNAL_ID_PATTERN
)

// Receipt counts what became of a Delivery's deletions when they were stored.
type Receipt struct {
	Accepted   int // counts the new ones, the held ones among them
	Held       int // counts those of the accepted ones that went straight to a human
	Duplicates int // counts those that were known already
}

// Plus counts both together.
func (r Receipt) Plus(other Receipt) Receipt {
	return Receipt{Accepted: r.Accepted + other.Accepted, Held: r.Held + other.Held, Duplicates: r.Duplicates + other.Duplicates}
}

// Customer is what a look at Polar found. The zero value is nobody.
type Customer = polar.Customer

// Approval lets a deletion pass one guard.
type Approval struct {
	Reason HoldReason `json:"reason"` // the guard
	// CustomerID is Polar's id of the customer it was given for, "" when nobody
	// had been looked up.
	CustomerID string `json:"customer_id"`
}

// Saw says what the lookup before a request came to. The set is closed.
type Saw string

// What a lookup came to.
const (
	SawNothing  Saw = ""         // nobody looked, or nobody could
	SawNobody   Saw = "nobody"   // there was no such customer
	SawCustomer Saw = "customer" // there was one
	SawFound    Saw = "found"    // there was one, found by metadata: the request names Polar's own id
)

// Attempt is one try to carry out a Deletion.
type Attempt struct {
	Deletion

	ID       int64 // identifies the deletion where it is kept
	Failures int64 // how many tries failed before, since it was sent on its way
	// AnswerLost says that an earlier attempt may have reached Polar although
	// its answer was never seen (crash, timeout, reset).
	AnswerLost bool
	LostSaw    Saw // what the lookup before that attempt came to
	// LostAnonymized says that such an attempt is known to have asked Polar to
	// erase name and e-mail as well.
	LostAnonymized bool
	DryRun         bool       // everything but the DELETE is to be done
	Approved       []Approval // the guards that an operator lets this deletion pass
	// Seen is whom an earlier attempt found at Polar, or, for a verification,
	// whom the deletion found.
	Seen Customer
}

// Approves reports whether an operator lets the deletion pass that guard. An
// approval is given for one customer: it does not serve for another one who has
// the same external id by now. An empty customerID is nobody in particular.
func (a *Attempt) Approves(reason HoldReason, customerID string) bool {
	return slices.ContainsFunc(a.Approved, func(given Approval) bool {
		return given.Reason == reason && (given.CustomerID == "" || customerID == "" || given.CustomerID == customerID)
	})
}

// approvedCustomer is Polar's id of the customer who was found by metadata and whom an
// operator lets be deleted, "" when there is none.
func (a *Attempt) approvedCustomer() string {
	for _, given := range a.Approved {
		if given.Reason == HoldFoundByMetadata {
			return given.CustomerID
		}
	}
	return ""
}

// foundByMetadata reports whether the customer was found so, and approved.
func (a *Attempt) foundByMetadata() bool {
	return a.Seen.ID != "" && a.Seen.ID == a.approvedCustomer()
}

// Loss is what a deletion ends besides the customer.
type Loss = polar.State

// State is where a deletion stands. The set is closed.
type State string

// The states.
const (
	StateWaiting    State = "waiting"    // it will be tried
	StateHeld       State = "held"       // somebody must decide
	StateDone       State = "done"       // its outcome is known
	StateCancelled  State = "cancelled"  // an operator did not want it
	StateReappeared State = "reappeared" // it was deleted, and a customer with the same id was found afterwards
)

// States lists every State.
func States() []State {
	return []State{StateWaiting, StateHeld, StateDone, StateCancelled, StateReappeared}
}

// PendingStates lists those in which something is still to be done.
func PendingStates() []State { return []State{StateWaiting, StateHeld, StateReappeared} }

// Standing is where a deletion stands, and why when it is held.
type Standing struct {
	State  State
	Reason HoldReason
}

// Source says what told of a deletion. The set is closed.
type Source string

// What tells of a deletion.
const (
	SourceWebhook   Source = "webhook"
	SourceOutbox    Source = "outbox"
	SourceOperator  Source = "operator"
	SourceReconcile Source = "reconcile"
	SourceSelftest  Source = "selftest"
)

// Outcome is how a deletion ended. The set is closed.
type Outcome string

// How a deletion ends.
const (
	OutcomeDeleted   Outcome = "deleted"   // Polar deleted the customer
	OutcomeNotFound  Outcome = "not_found" // Polar had no such customer
	OutcomeDryRun    Outcome = "dry_run"   // everything but the DELETE was done
	OutcomeCancelled Outcome = "cancelled" // an operator cancelled it
)

// Outcomes lists every Outcome.
func Outcomes() []Outcome {
	return []Outcome{OutcomeDeleted, OutcomeNotFound, OutcomeDryRun, OutcomeCancelled}
}

// Confirmation says what proves the outcome. The set is closed.
type Confirmation string

// What proves an outcome.
const (
	ConfirmedByAnswer Confirmation = "answer" // Polar's own answer to the request that did it
	// ConfirmedByRetry is a ResourceNotFound to a repeat after an attempt
	// whose answer was lost, and before which the customer was seen.
	ConfirmedByRetry       Confirmation = "retry"
	ConfirmedByRetryUnseen Confirmation = "retry_unseen" // the same where nobody had looked
)

// HoldReason says why a deletion waits for a human. The set is closed.
type HoldReason string

// Why a deletion is held.
const (
	HoldUnusableID    HoldReason = "unusable_id"   // the id cannot name a customer
	HoldUnaddressable HoldReason = "unaddressable" // Polar's endpoint cannot address the id
	HoldRejected      HoldReason = "rejected"      // Polar answered 400 or 422
	HoldUnexpected    HoldReason = "unexpected"    // Polar answered oddly to this one only
	HoldExhausted     HoldReason = "exhausted"     // it failed for longer than an operator should not know
	HoldForbidden     HoldReason = "forbidden"     // for as long, Polar or a proxy forbade this one only
	HoldTeam          HoldReason = "team"          // the customer is a team: its subscription is many people's
	HoldRecreated     HoldReason = "recreated"     // the customer was created after the user was deleted
	HoldMassDeletion  HoldReason = "mass_deletion" // more were deleted within an hour than is usual
	HoldUserExists    HoldReason = "user_exists"   // the user or organization still exists at the identity provider, or may: the event does not name them

	// HoldOtherInstance holds a deletion at an instance of the provider that
	// cannot be asked whether the user is gone.
	HoldOtherInstance HoldReason = "other_instance"
	HoldConflict      HoldReason = "conflict" // a repeat of the event names another user

	HoldFoundByMetadata   HoldReason = "found_by_metadata"  // nobody has the external id, but one customer has it in the metadata
	HoldAmbiguousMetadata HoldReason = "ambiguous_metadata" // several have
)

// HoldReasons lists every HoldReason.
func HoldReasons() []HoldReason {
	return []HoldReason{
		HoldUnusableID, HoldUnaddressable, HoldRejected, HoldUnexpected, HoldExhausted, HoldForbidden,
		HoldTeam, HoldRecreated, HoldMassDeletion, HoldUserExists, HoldConflict,
		HoldOtherInstance, HoldFoundByMetadata, HoldAmbiguousMetadata,
	}
}
