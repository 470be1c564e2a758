package polar

import (
	"errors"
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
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // then it is the nearest number that fits
		// Bounded before it is multiplied: a product that overflows is negative.
		return time.Duration(min(max(seconds, int64(minRetryAfter/time.Second)), int64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return defaultRetryAfter
	}
	// The server's own clock is the better one to measure the server's date.
	if date := sent(header); !date.IsZero() {
		now = date
	}
	return min(max(until.Sub(now), minRetryAfter), maxRetryAfter)
}
