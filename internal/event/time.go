package event

import "time"

// How far a provider's clock is believed: further away the arrival counts.
const (
	maxPast   = 35 * 24 * time.Hour
	maxFuture = 5 * time.Minute
)

// millisecondsFrom is the number from which a UNIX time is in milliseconds:
// as seconds it would lie in the year 5138.
const millisecondsFrom = 100_000_000_000

// Occurred returns claimed when it lies between 35 days before and 5 minutes
// after received, else received.
func Occurred(claimed, received time.Time) time.Time {
	if claimed.Before(received.Add(-maxPast)) || claimed.After(received.Add(maxFuture)) {
		return received
	}
	return claimed
}

// UnixTime reads a UNIX time in seconds or milliseconds, told apart by size.
// Clerk's documentation and samples show both.
func UnixTime(n int64) time.Time {
	if n >= millisecondsFrom || n <= -millisecondsFrom {
		return time.UnixMilli(n)
	}
	return time.Unix(n, 0)
}
