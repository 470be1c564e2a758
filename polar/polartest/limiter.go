package polartest

import "time"

// limiter is Polar's fixed window: the first call opens it, blocked calls do
// not extend it. Server.mu guards it.
type limiter struct {
	opened time.Time
	used   int
}

// allow takes one call out of the window, if there is one left; a limit of 0
// allows all.
func (l *limiter) allow(now time.Time, limit int, window time.Duration) bool {
	if limit <= 0 {
		return true
	}
	if l.used == 0 || !now.Before(l.opened.Add(window)) {
		l.opened, l.used = now, 0
	}
	if l.used >= limit {
		return false
	}
	l.used++
	return true
}
