package payload

import (
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Occurred returns when an event happened by the provider's times in it: the
// earliest that can be read. Without any time it is received. When times stand
// there and none can be read, nobody knows when it happened, which is not now:
// then it is the zero time. No delivery is refused over it.
func Occurred(received time.Time, times ...jsontext.Value) time.Time {
	var earliest time.Time
	absent := true
	for _, raw := range times {
		if NewID(raw).Absent() {
			continue
		}
		absent = false
		claimed, ok := readTime(raw)
		if !ok {
			continue
		}
		if at, ok := deletion.Occurred(claimed, received); ok && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	if absent {
		return received
	}
	return earliest
}

// readTime reads a JSON text in one of the layouts, or a UNIX time as a number
// or its text.
func readTime(raw jsontext.Value) (time.Time, bool) {
	text := string(raw)
	switch raw.Kind() {
	case jsontext.KindString:
		text = Text(raw)
		// These say a time without doubt: one without a zone may be off by half a day.
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
			if at, err := time.Parse(layout, text); err == nil {
				return at, true
			}
		}
	case jsontext.KindNumber:
	default:
		return time.Time{}, false
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	return unixTime(number)
}

// unixTime reads a UNIX time in seconds, milliseconds, microseconds or
// nanoseconds, told apart by size: a thousandfold of a time of our age lies
// tens of thousands of years ahead. Clerk's documentation and samples show both
// seconds and milliseconds.
func unixTime(number float64) (time.Time, bool) {
	const ceiling = 1e11 // in seconds the year 5138
	for perSecond := 1.0; perSecond <= 1e9; perSecond *= 1000 {
		if number < ceiling*perSecond {
			// Every number that has no fraction stays exact to the microsecond.
			return time.UnixMicro(int64(math.Round(number * (1e6 / perSecond)))), number > 0
		}
	}
	return time.Time{}, false
}
