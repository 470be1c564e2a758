package handlers

// The keys of this package's log fields, which operators search for.
const (
	keyProvider   = "provider"
	keyOutcome    = "outcome"
	keyReason     = "reason"
	keyHeaders    = "headers"
	keyStatus     = "status"
	keyEvents     = "events"
	keyEventID    = "event_id"
	keyDurationMS = "duration_ms"
	keyRequestID  = "request_id"
	keyRemoteIP   = "remote_ip"
	keyError      = "error"
	keyPanic      = "panic"
	keyStack      = "stack"
)
