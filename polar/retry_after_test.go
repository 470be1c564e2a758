package polar_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name  string
		value string
		sent  string
		want  time.Duration
	}{
		{"Polar's own", "60", "", time.Minute},
		{"other seconds", "8", "", 8 * time.Second},
		{"spaces around", " 8 ", "", 8 * time.Second},
		{"missing", "", "", time.Minute},
		{"garbage", "soon", "", time.Minute},
		{"fraction", "1.5", "", time.Minute},
		{"hexadecimal", "0x10", "", time.Minute},
		{"only a sign", "-", "", time.Minute},
		{"two signs", "--5", "", time.Minute},
		{"nothing", "0", "", time.Second},
		{"negative", "-5", "", time.Second},
		{"the longest wait", "600", "", 10 * time.Minute},
		{"longer", "601", "", 10 * time.Minute},
		{"overflows when multiplied", "9223372036854775807", "", 10 * time.Minute},
		{"overflows", "99999999999999999999999999", "", 10 * time.Minute},
		{"hugely negative", "-99999999999999999999999999", "", time.Second},
		{"date", date(90 * time.Second), "", 90 * time.Second},
		{"date by the server's clock", date(time.Hour + 90*time.Second), date(time.Hour), 90 * time.Second},
		{"date with a broken clock", date(90 * time.Second), "yesterday", 90 * time.Second},
		{"past date", date(-time.Hour), "", time.Second},
		{"far date", "Fri, 31 Dec 9999 23:59:59 GMT", "", 10 * time.Minute},
		{"ancient date", "Mon, 01 Jan 0001 00:00:00 GMT", "", time.Second},
		{"obsolete date", now.Add(90 * time.Second).Format(time.ANSIC), "", 90 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Date": {tt.sent}}
			if tt.value != "" {
				header.Set("Retry-After", tt.value)
			}
			require.Equal(t, tt.want, polar.Classify(http.StatusTooManyRequests, header, nil, now).RetryAfter)
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"60", "", "-1", "1e9", "99999999999999999999", "Mon, 23 Nov 2026 10:00:00 GMT", "\x00"} {
		f.Add(seed, seed)
	}
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		wait := polar.Classify(http.StatusTooManyRequests, header, nil, now).RetryAfter
		require.GreaterOrEqual(t, wait, time.Second)
		require.LessOrEqual(t, wait, 10*time.Minute)
	})
}
