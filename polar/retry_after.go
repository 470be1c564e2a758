package polar

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The bounds of a wait that Polar may ask for. A wait of nothing would turn a
// 429 into a busy loop, an absurd one would stop all deletions.
const (
	minRetryAfter     = time.Second
	maxRetryAfter     = 10 * time.Minute
	defaultRetryAfter = time.Minute // Polar's window, https://polar.sh/docs/api-reference/introduction
)

// retryAfter reads Retry-After, which is seconds or a date (RFC 9110, section
// 10.2.3), within the bounds above.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if isDigits(strings.TrimPrefix(value, "-")) {
		return secondsAfter(value)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return defaultRetryAfter
	}
	// The server's own clock is the better one to measure the server's date.
	if date := sent(header); !date.IsZero() {
		now = date
	}
	return bounded(until.Sub(now))
}

// secondsAfter reads digits with an optional minus sign.
func secondsAfter(value string) time.Duration {
	if strings.HasPrefix(value, "-") {
		return minRetryAfter
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	// Checked before it is multiplied: a product that overflows is negative.
	if err != nil || seconds > int64(maxRetryAfter/time.Second) {
		return maxRetryAfter
	}
	return bounded(time.Duration(seconds) * time.Second)
}

// isDigits reports whether value is one or more ASCII digits.
func isDigits(value string) bool {
	return value != "" && strings.Trim(value, "0123456789") == ""
}

// bounded forces wait into the bounds.
func bounded(wait time.Duration) time.Duration {
	return min(max(wait, minRetryAfter), maxRetryAfter)
}
