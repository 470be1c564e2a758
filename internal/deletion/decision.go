package deletion

import "time"

// Decision is what is to be done with a deletion after an attempt: Done, Hold,
// Wait or Retry. The set is closed. The limiter and the queue are told the same
// value.
type Decision interface{ decision() }

// Done ends the deletion.
type Done struct {
	Outcome     Outcome
	ConfirmedBy Confirmation
	// Anonymized says that the request which deleted the customer, or may have
	// done so unseen, asked to erase name and e-mail as well.
	Anonymized bool
}

// Hold puts the deletion in front of a human.
type Hold struct {
	Reason HoldReason
	Err    error
}

// Wait tries the deletion again after For. Nothing was tried, or Polar said that
// nothing was done: it costs no attempt.
type Wait struct {
	Reason    WaitReason
	For       time.Duration
	Everybody bool // no request may go out meanwhile, from any replica
	Err       error
}

// Retry tries the deletion again after a backoff, because this attempt failed.
type Retry struct {
	Reason RetryReason
	// Outage says that Polar itself failed: several in a row open the circuit
	// breaker.
	Outage bool
	Err    error
}

func (Done) decision()  {}
func (Hold) decision()  {}
func (Wait) decision()  {}
func (Retry) decision() {}

// WaitReason says why a deletion waits. The set is closed.
type WaitReason string

// Why a deletion waits. The first four pause all calls to Polar, on every
// replica.
const (
	WaitRateLimited  WaitReason = "rate_limited" // Polar answered 429
	WaitUnauthorized WaitReason = "unauthorized" // Polar refuses the token or its scope
	WaitUnexpected   WaitReason = "unexpected"   // Polar answers everything oddly
	WaitOutage       WaitReason = "outage"       // Polar failed several times in a row

	// WaitOtherOrganization pauses the calls of this process only: the database
	// belongs to another Polar organization.
	WaitOtherOrganization WaitReason = "other_organization"

	WaitPermit       WaitReason = "no_permit"              // no request was due within a worker's time
	WaitGrace        WaitReason = "grace_period"           // the grace period is not over
	WaitUserPresent  WaitReason = "user_still_there"       // the provider still shows the user, for a few minutes at most
	WaitDirectoryLag WaitReason = "directory_lag"          // it is too early to ask the provider
	WaitDirectory    WaitReason = "directory_rate_limited" // the provider asks to wait
	WaitInFlight     WaitReason = "in_flight"              // another run has a request on its way
	WaitChanged      WaitReason = "changed"                // the deletion was changed meanwhile
	WaitStopping     WaitReason = "stopping"               // the program stops
)

// PauseReasons lists every reason for which all calls to Polar pause.
func PauseReasons() []WaitReason {
	return []WaitReason{WaitRateLimited, WaitUnauthorized, WaitUnexpected, WaitOutage}
}

// RetryReason says why an attempt failed. The set is closed.
type RetryReason string

// Why an attempt failed.
const (
	RetryServerError  RetryReason = "server_error"  // Polar answered 5xx, 408 or 425
	RetryNetworkError RetryReason = "network_error" // no answer, or none that can be read
	RetryForbidden    RetryReason = "forbidden"     // Polar, or a proxy in front of it, forbids this one only
	RetryLookup       RetryReason = "lookup_failed" // Polar works, but does not look this customer up
	RetryDatabase     RetryReason = "database"      // our own database does not answer

	// The provider does not say whether the user is gone.
	RetryDirectoryUnavailable   RetryReason = "directory_unavailable"    // no answer, or a server error
	RetryDirectoryUnauthorized  RetryReason = "directory_unauthorized"   // the credentials or their scopes are refused
	RetryDirectoryInconclusive  RetryReason = "directory_inconclusive"   // an answer that is neither yes nor no
	RetryDirectoryOtherInstance RetryReason = "directory_other_instance" // the credentials belong to an instance that may not be asked

	RetryUnconfirmed RetryReason = "not_confirmed" // only the provider's word will do, and it is not asked here
	RetryReplica     RetryReason = "replica"       // Polar still shows the customer who was deleted
	RetryPanic       RetryReason = "panic"         // a bug
)
