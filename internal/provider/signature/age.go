package signature

import (
	"strconv"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// stamp is a signed time in a header.
type stamp struct {
	// header is the header's name.
	header string
	// unit is what the number counts, digits how many it may have.
	unit   time.Duration
	digits int
	// tolerance is how far the time may lie from now, both ways.
	tolerance time.Duration
}

// count returns a time in units.
func (s stamp) count(at time.Time) int64 {
	return at.UnixMilli() / int64(s.unit/time.Millisecond)
}

// check reports why a time is out of form, too old or too far ahead. It compares
// whole units, which is all that the header holds, and takes the canonical form
// only: "+1" and "01" are other bytes under the signature, but the same time.
// Vendors' own verifiers do not look for times in the future, which would make a
// signature last for ever.
func (s stamp) check(text string, now time.Time) error {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > s.digits || strconv.FormatInt(at, 10) != text || at < 0 {
		return refuseHeader(fault.ReasonBadHeader, s.header, "has no UNIX time in its only form")
	}
	age, limit := s.count(now)-at, int64(s.tolerance/s.unit)
	switch {
	case age > limit:
		return refuseHeader(fault.ReasonStale, s.header, "says that it was signed %d times %s ago", age, s.unit)
	case age < -limit:
		return refuseHeader(fault.ReasonFuture, s.header, "says that it was signed %d times %s ahead", -age, s.unit)
	}
	return nil
}
