package metrics

import (
	"slices"
	"strconv"
)

// ProviderNone stands for requests to unknown routes and for providers that
// this program does not know (any more).
const ProviderNone = "none"

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

// What is done for the SQLite database beside the work.
const (
	MaintenanceCheckpoint     = "checkpoint"
	MaintenanceIntegrityCheck = "integrity_check"
)

// Maintenances lists it.
func Maintenances() []string { return []string{MaintenanceCheckpoint, MaintenanceIntegrityCheck} }

// How a deletion ended.
const (
	DeletionDeleted   = "deleted"
	DeletionNotFound  = "not_found"
	DeletionDryRun    = "dry_run"
	DeletionCancelled = "cancelled"
)

// DeletionOutcomes lists how a deletion may end.
func DeletionOutcomes() []string {
	return []string{DeletionDeleted, DeletionNotFound, DeletionDryRun, DeletionCancelled}
}

// Why a deletion is held.
const (
	HoldUnusableID    = "unusable_id"
	HoldUnaddressable = "unaddressable"
	HoldRejected      = "rejected"
	HoldUnexpected    = "unexpected"
	HoldExhausted     = "exhausted"
	HoldForbidden     = "forbidden"
	HoldTeam          = "team"
	HoldRecreated     = "recreated"
	HoldMassDeletion  = "mass_deletion"
	HoldUserExists    = "user_exists"
	HoldResurrected   = "resurrected"
	HoldOtherInstance = "other_instance"
	HoldConflict      = "conflict"
)

// HoldReasons lists why a deletion may be held.
func HoldReasons() []string {
	return []string{
		HoldUnusableID, HoldUnaddressable, HoldRejected, HoldUnexpected, HoldExhausted, HoldForbidden,
		HoldTeam, HoldRecreated, HoldMassDeletion, HoldUserExists, HoldResurrected, HoldConflict,
		HoldOtherInstance,
	}
}

// The guards that need a look at the customer.
const (
	GuardTeam      = HoldTeam
	GuardRecreated = HoldRecreated
)

// Guards lists the guards that need a look at the customer.
func Guards() []string { return []string{GuardTeam, GuardRecreated} }

// What a look some time after a deletion came to.
const (
	VerificationGone  = "gone"
	VerificationFound = "found"
	VerificationError = "error"
)

// Verifications lists what a look after a deletion may come to.
func Verifications() []string {
	return []string{VerificationGone, VerificationFound, VerificationError}
}

// What an attempt to delete came to.
const (
	AttemptDeleted      = "deleted"
	AttemptNotFound     = "not_found"
	AttemptRateLimited  = "rate_limited"
	AttemptUnauthorized = "unauthorized"
	AttemptForbidden    = "forbidden"
	AttemptRejected     = "rejected"
	AttemptServerError  = "server_error"
	AttemptNetworkError = "network_error"
	AttemptUnexpected   = "unexpected"
)

// AttemptResults lists what an attempt may come to.
func AttemptResults() []string {
	return []string{
		AttemptDeleted, AttemptNotFound, AttemptRateLimited, AttemptUnauthorized, AttemptForbidden,
		AttemptRejected, AttemptServerError, AttemptNetworkError, AttemptUnexpected,
	}
}

// The states of a deletion that is not done.
const (
	StateWaiting = "waiting"
	StateHeld    = "held"
)

// States lists the states of a deletion that is not done.
func States() []string { return []string{StateWaiting, StateHeld} }

// Why all calls to Polar are paused.
const (
	PauseRateLimited  = "rate_limited"
	PauseUnauthorized = "unauthorized"
	PauseUnexpected   = "unexpected"
	PauseOutage       = "outage"
	// PauseOperator is an operator's wish; it may stand beside another reason.
	PauseOperator = "operator"
)

// PauseReasons lists why calls to Polar may be paused.
func PauseReasons() []string {
	return []string{PauseRateLimited, PauseUnauthorized, PauseUnexpected, PauseOutage, PauseOperator}
}

// The operations at Polar.
const (
	OperationDeleteCustomer = "delete_customer"
	OperationProbe          = "probe"
	OperationGetCustomer    = "get_customer"
	OperationGetState       = "get_state"
	OperationListCustomers  = "list_customers"
)

// PolarOperations lists the operations at Polar.
func PolarOperations() []string {
	return []string{OperationDeleteCustomer, OperationProbe, OperationGetCustomer, OperationGetState, OperationListCustomers}
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
func oneOf(values []string, v, fallback string) string {
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
