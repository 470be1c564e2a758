package payload_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

func TestOccurred(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	earlier := time.Date(2026, 8, 1, 9, 30, 0, 0, time.UTC) // longer ago than anybody keeps a message
	var unknown time.Time
	tests := []struct {
		name  string
		times []string
		want  time.Time
	}{
		{"no time is the arrival", nil, received},
		{"an absent member is the arrival", []string{""}, received},
		{"null is the arrival", []string{"null", ""}, received},
		{"RFC 3339", []string{`"2026-08-01T09:30:00Z"`}, earlier},
		{"RFC 3339 with an offset", []string{`"2026-08-01T19:30:00.000+10:00"`}, earlier},
		{"ISO 8601 with a basic offset", []string{`"2026-08-01T09:30:00+0000"`}, earlier},
		{"escaped text", []string{`"\u0032026-08-01T09:30:00Z"`}, earlier},
		{"seconds", []string{`1785576600`}, earlier},
		{"seconds with a fraction", []string{`1785576600.000`}, earlier},
		{"seconds with an exponent", []string{`1.7855766e9`}, earlier},
		{"milliseconds", []string{`1785576600000`}, earlier},
		{"microseconds", []string{`1785576600000000`}, earlier},
		{"nanoseconds", []string{`1785576600000000000`}, earlier},
		{"milliseconds as text", []string{`"1785576600000"`}, earlier},
		{"exact to the microsecond", []string{`1785576600000001`}, earlier.Add(time.Microsecond)},
		{"five minutes ahead is a clock", []string{`"2026-11-23T12:05:00Z"`}, received.Add(5 * time.Minute)},
		{"more is the arrival", []string{`"2026-11-23T12:05:01Z"`}, received},
		{"the earliest of several", []string{`"2026-11-23T12:00:00Z"`, `1785576600`}, earlier},
		{"one that can be read beside one that cannot", []string{`"yesterday"`, `"2026-08-01T09:30:00Z"`}, earlier},
		{"one that is true beside one that is empty", []string{`0`, `"2026-08-01T09:30:00Z"`}, earlier},

		{"a word", []string{`"yesterday"`}, unknown},
		{"an empty text", []string{`""`}, unknown},
		{"a date", []string{`"2026-08-01"`}, unknown},
		{"no zone", []string{`"2026-08-01T09:30:00"`}, unknown},
		{"an object", []string{`{}`}, unknown},
		{"an array", []string{`[1785576600]`}, unknown},
		{"a truth", []string{`false`}, unknown},
		{"zero", []string{`0`}, unknown},
		{"negative", []string{`-1785576600`}, unknown},
		{"no number", []string{`"NaN"`}, unknown},
		{"endless", []string{`"-Inf"`}, unknown},
		{"beyond all units", []string{`1e30`}, unknown},
		{"the last second of 2014", []string{`"2014-12-31T23:59:59Z"`}, unknown},
		{"Go's zero time", []string{`"0001-01-01T00:00:00Z"`}, unknown},
		{"invalid UTF-8", []string{"\"\xff\""}, unknown},
		{"unreadable beside absent", []string{`"yesterday"`, `null`}, unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var times []jsontext.Value
			for _, raw := range tt.times {
				times = append(times, jsontext.Value(raw))
			}
			require.Equal(t, tt.want, payload.Occurred(received, times...))
		})
	}
}
