package fault

// Reasons for which all calls to Polar pause, on every replica. The set is
// closed; Paused errors carry them, and so does the metric.
const (
	PauseRateLimited  = "rate_limited" // Polar answered 429
	PauseUnauthorized = "unauthorized" // Polar refuses the token or its scope
	PauseUnexpected   = "unexpected"   // Polar answers everything oddly
	PauseOutage       = "outage"       // Polar failed several times in a row
)

// PauseReasons lists every reason for a pause.
func PauseReasons() []string {
	return []string{PauseRateLimited, PauseUnauthorized, PauseUnexpected, PauseOutage}
}

// ReasonNoSlot says that no request was due within a worker's patience.
const ReasonNoSlot = "no_slot"

// ReasonGrace says that a deletion's grace period is not over.
const ReasonGrace = "grace_period"
