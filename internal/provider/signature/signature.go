// Package signature holds the schemes by which webhook deliveries prove where they
// come from: Standard Webhooks (Svix), HMACs, static tokens and JSON Web Tokens, each
// with its own strict verifier and the matching signer.
//
// It must not know which provider uses a scheme or what a body says. The
// vendors' Go libraries are no substitute: several accept an empty secret, look
// at the first of repeated headers only, or check age one way.
package signature

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Message is what an authentic request says.
type Message struct {
	ID      string // the delivery's id where the scheme signs one, else ""
	Type    string // the header's typ of a JSON Web Token (RFC 7515 section 4.1.9), else ""
	Payload []byte // the text that was signed, with the event in it
	// SignedAt is when it was signed where the scheme signs that, else zero.
	SignedAt time.Time
}

// Keys are the keys of a secret, as many as it has values. Each of them counts, so
// that a secret can be rotated. They are safe for concurrent use, and none are set
// until SetKeys is called.
type Keys[K any] struct {
	parse func(value string) (K, error)
	keys  atomic.Pointer[[]K]
}

// SetKeys makes the keys of these values count and no others or, when one of them
// cannot be a key, changes nothing. The error follows a setting's name, "must be …",
// and never shows a value.
func (k *Keys[K]) SetKeys(values []string) error {
	keys := make([]K, len(values))
	for i, value := range values {
		var err error
		if keys[i], err = k.parse(value); err != nil {
			return err
		}
	}
	k.keys.Store(&keys)
	return nil
}

// CheckKey is SetKeys' error for a value, and sets nothing.
func (k *Keys[K]) CheckKey(value string) error {
	_, err := k.parse(value)
	return err
}

// HasKeys reports whether any key counts.
func (k *Keys[K]) HasKeys() bool { return len(k.current()) > 0 }

func (k *Keys[K]) current() []K {
	if keys := k.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}

// single returns the header's value if it stands exactly once. http.Header.Get
// would return the first of several, which need not be the one that a proxy or
// another reader looks at.
func single(h http.Header, name string) (string, error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", refuseHeader(fault.ReasonMissingHeader, name, "is missing")
	case 1:
		return values[0], nil
	default:
		return "", refuseHeader(fault.ReasonRepeatedHeader, name, "stands %d times", len(values))
	}
}

// refuseHeader is refuse for what is wrong with the named header.
func refuseHeader(reason fault.Reason, name, format string, args ...any) error {
	err := fault.New(fault.Unauthenticated, reason, "header %s "+format, append([]any{name}, args...)...)
	err.Headers = []string{name}
	return err
}

func refuse(reason fault.Reason, format string, args ...any) error {
	return fault.New(fault.Unauthenticated, reason, format, args...)
}

// jsonHeader returns the headers of a signed delivery of JSON.
func jsonHeader(name, value string) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(name, value)
	return h
}

// stamp is a signed time in a header.
type stamp struct {
	header    string        // the header's name
	unit      time.Duration // what the number counts, digits how many it may have
	digits    int
	tolerance time.Duration // how far the time may lie from now, both ways
	maxAge    time.Duration // how long ago it may be when that is more than tolerance
}

// count returns a time in units.
func (s stamp) count(at time.Time) int64 {
	return at.UnixMilli() / int64(s.unit/time.Millisecond)
}

// check returns the time, or why it is out of form, too old or too far ahead. It compares
// whole units, which is all that the header holds, and takes the canonical form
// only: "+1" and "01" are other bytes under the signature, but the same time.
// Vendors' own verifiers do not look for times in the future, which would make a
// signature last for ever.
func (s stamp) check(text string, now time.Time) (time.Time, error) {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > s.digits || strconv.FormatInt(at, 10) != text || at < 0 {
		return time.Time{}, refuseHeader(fault.ReasonBadHeader, s.header, "has no UNIX time in its only form")
	}
	age := s.count(now) - at
	switch {
	case age > int64(max(s.tolerance, s.maxAge)/s.unit):
		return time.Time{}, refuseHeader(fault.ReasonStale, s.header, "says that it was signed %d times %s ago", age, s.unit)
	case age < -int64(s.tolerance/s.unit):
		return time.Time{}, refuseHeader(fault.ReasonFuture, s.header, "says that it was signed %d times %s ahead", -age, s.unit)
	}
	return time.UnixMilli(at * int64(s.unit/time.Millisecond)), nil
}
