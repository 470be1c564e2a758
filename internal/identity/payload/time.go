package payload

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// Occurred reads a provider's time, RFC 3339 text or a whole number of UNIX
// seconds or milliseconds. Anything else counts as the arrival: the time is for
// people, and no deletion is refused over it.
func Occurred(raw jsontext.Value, received time.Time) time.Time {
	switch raw.Kind() {
	case jsontext.KindString:
		if claimed, err := time.Parse(time.RFC3339, Text(raw)); err == nil {
			return event.Occurred(claimed, received).UTC()
		}
	case jsontext.KindNumber:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return event.Occurred(event.UnixTime(n), received).UTC()
		}
	}
	return received
}
