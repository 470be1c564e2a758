package metrics

import (
	"slices"
	"strconv"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

// ProviderNone stands for requests to unknown routes and for providers that
// this program does not know (any more).
const ProviderNone = "none"

// ProviderSelftest stands for the deletions of the command selftest, which have a
// counter of their own and are left out of all others.
const ProviderSelftest = string(deletion.SourceSelftest)

// What became of a webhook request.
const (
	WebhookAccepted        = "accepted"
	WebhookDuplicate       = "duplicate"
	WebhookIgnored         = "ignored"
	WebhookUnauthenticated = "unauthenticated"
	WebhookMalformed       = "malformed"
	WebhookTooLarge        = "too_large"
	WebhookUnsupported     = "unsupported"
	WebhookUnavailable     = "unavailable"
	WebhookError           = "error"
	// WebhookNotFound is counted for ProviderNone only.
	WebhookNotFound = "not_found"
)

// WebhookOutcomes lists what may become of a webhook request.
func WebhookOutcomes() []string {
	return []string{
		WebhookAccepted, WebhookDuplicate, WebhookIgnored, WebhookUnauthenticated, WebhookMalformed,
		WebhookTooLarge, WebhookUnsupported, WebhookUnavailable, WebhookError, WebhookNotFound,
	}
}

// What became of an event inside a webhook.
const (
	EventAccepted  = "accepted"
	EventDuplicate = "duplicate"
	EventIgnored   = "ignored"
	EventHeld      = "held"
	// EventOtherInstance is an ignored one of an instance, stream or realm that
	// the settings leave out.
	EventOtherInstance = "other_instance"
)

// EventOutcomes lists what may become of an event.
func EventOutcomes() []string {
	return []string{EventAccepted, EventDuplicate, EventIgnored, EventHeld, EventOtherInstance}
}

// The external ids that Polar's customers have.
const (
	CustomersPresent = "present" // of the form that users' ids have
	CustomersForeign = "foreign" // of another one
	CustomersAbsent  = "absent"  // none
)

// What is done for the SQLite database beside the work.
const (
	MaintenanceCheckpoint     = "checkpoint"
	MaintenanceIntegrityCheck = "integrity_check"
)

// Maintenances lists it.
func Maintenances() []string { return []string{MaintenanceCheckpoint, MaintenanceIntegrityCheck} }

// OrphanKind says which half of a deletion's row and job was alone.
type OrphanKind string

// What was alone.
const (
	OrphanRow OrphanKind = "deletion" // a row without a job
	OrphanJob OrphanKind = "job"      // a job without a row
)

// OrphanKinds lists every OrphanKind.
func OrphanKinds() []OrphanKind { return []OrphanKind{OrphanRow, OrphanJob} }

// OutboxProblem says why the outbox of the auth system's database is not read.
type OutboxProblem string

// Why it is not read.
const (
	OutboxUnavailable   OutboxProblem = "unavailable"    // the database does not answer
	OutboxRefused       OutboxProblem = "refused"        // the role or its rights are refused
	OutboxNotInstalled  OutboxProblem = "not_installed"  // the functions are missing, or others than the settings want
	OutboxWrongDatabase OutboxProblem = "wrong_database" // it is a replica, or another database than before
	OutboxNotStored     OutboxProblem = "not_stored"     // our own database does not take the deletions
)

// OutboxProblems lists every OutboxProblem.
func OutboxProblems() []OutboxProblem {
	return []OutboxProblem{OutboxUnavailable, OutboxRefused, OutboxNotInstalled, OutboxWrongDatabase, OutboxNotStored}
}

// Guards lists the guards that need a lookup of the customer.
func Guards() []deletion.HoldReason {
	return []deletion.HoldReason{deletion.HoldTeam, deletion.HoldRecreated}
}

// PauseOperator is an operator's pause; it may stand beside another reason.
const PauseOperator = "operator"

// PauseOtherOrganization is the pause of a process whose database belongs to
// another Polar organization; it may stand beside another reason.
const PauseOtherOrganization = string(deletion.WaitOtherOrganization)

// PolarOperations lists the operations at Polar that are timed.
func PolarOperations() []string {
	return []string{
		polar.OperationDelete, polar.OperationProbe, polar.OperationGet, polar.OperationState, polar.OperationList,
		polar.OperationSubscriptions, polar.OperationSearch,
	}
}

// CodeError is the code of a request that got no answer.
const CodeError = "error"

// PolarCodes lists the code label's values: the statuses that mean something
// of their own here, and the classes of the others.
func PolarCodes() []string {
	return []string{
		"204", "400", "401", "403", "404", "422", "429", "500", "502", "503", "504", "520", "524",
		"1xx", "2xx", "3xx", "4xx", "5xx", CodeError,
	}
}

// codeLabel bounds a status to the values of PolarCodes.
func codeLabel(code string) string {
	if slices.Contains(PolarCodes(), code) {
		return code
	}
	status, err := strconv.Atoi(code)
	if err != nil || status < 100 || status > 599 {
		return CodeError
	}
	return strconv.Itoa(status/100) + "xx"
}

// oneOf returns v when it is among values, else the fallback: no caller can
// mint a series. Where no value would be true, the fallback is "" and nothing
// is counted.
func oneOf[T ~string](values []T, v, fallback T) T {
	if slices.Contains(values, v) {
		return v
	}
	return fallback
}

// routedOutcomes are the outcomes of a request to a known provider.
func routedOutcomes() []string {
	return slices.DeleteFunc(WebhookOutcomes(), func(o string) bool { return o == WebhookNotFound })
}

// unroutedOutcomes are those of a request that reached no provider.
func unroutedOutcomes() []string { return []string{WebhookNotFound, WebhookError} }
