// Package fault is the closed set of error kinds that decide an HTTP status. A kind is
// decided where the fact is known and read where it matters.
//
// It must not know HTTP, the queue or any provider.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the class of an error. Its text is the stable code that clients see
// and the metric label.
type Kind string

// The kinds. The HTTP edge switches over all of them.
const (
	Malformed        Kind = "malformed"          // an authentic request whose body cannot be decoded
	Unauthenticated  Kind = "unauthenticated"    // a missing, wrong or too old signature or token
	NotFound         Kind = "not_found"          // a route that does not exist
	MethodNotAllowed Kind = "method_not_allowed" // a route that exists for another method
	TooLarge         Kind = "too_large"          // a body over its limit
	Unsupported      Kind = "unsupported"        // a body in an encoding that is not taken
	Unavailable      Kind = "unavailable"        // may work when tried again: the database is away
	Internal         Kind = "error"              // everything unclassified
)

// Error is an error of a known kind.
type Error struct {
	Kind   Kind
	Reason Reason // narrows the kind down for logs
	// Headers are the names of the headers that it is about, as this program
	// writes them. They are for the log; a value never is.
	Headers []string
	Err     error // what happened, for the operator; never shown to clients
}

// Reason narrows a Kind down. Its text is what the log says.
type Reason string

// Reasons that requests are refused for. The set is closed.
const (
	ReasonMissingHeader  Reason = "missing_header"   // a header that the scheme needs is absent
	ReasonRepeatedHeader Reason = "repeated_header"  // a header that must stand once stands more often
	ReasonBadHeader      Reason = "bad_header"       // a header is not in the scheme's form
	ReasonBadSignature   Reason = "bad_signature"    // no signature matches any key
	ReasonBadToken       Reason = "bad_token"        // the static token is not any configured one
	ReasonStale          Reason = "stale"            // the timestamp is too old
	ReasonFuture         Reason = "future"           // the timestamp is too far ahead
	ReasonBadJSON        Reason = "bad_json"         // not exactly one strict JSON value (syntax, duplicate names, UTF-8, trailing data)
	ReasonBadType        Reason = "bad_type"         // a member has another JSON type than documented
	ReasonBodyTooLarge   Reason = "body_too_large"   // over the route's limit
	ReasonBodyRead       Reason = "body_read"        // the body broke off
	ReasonBodyChanged    Reason = "body_changed"     // refused, and not the body of which the sender has sent the digest
	ReasonEncoding       Reason = "content_encoding" // Content-Encoding other than identity
	ReasonDatabase       Reason = "database"         // the database does not take it
	ReasonOverload       Reason = "overload"         // too many bodies in flight
	ReasonKeys           Reason = "keys"             // the issuer does not tell its public keys
	ReasonPanic          Reason = "panic"            // a bug
)

// New makes an error of the kind, wrapping what format's %w verbs name.
func New(kind Kind, reason Reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap implements the errors package's contract.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Internal for unclassified ones.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// ReasonOf returns the reason of err, or "" when it has none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
