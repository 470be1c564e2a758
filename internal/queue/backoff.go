package queue

import (
	"math/rand/v2"
	"time"
)

const (
	// giveUpAfter is for how long a deletion may fail, pauses left out, before it
	// is held.
	giveUpAfter = 7 * 24 * time.Hour
	// lookupGiveUpAfter is the same for a lookup that fails while Polar works.
	lookupGiveUpAfter = 24 * time.Hour

	shortestBackoff = 500 * time.Millisecond
	firstBackoff    = 2 * time.Second
	longestBackoff  = 2 * time.Hour
)

// Backoff returns how long to wait after the given attempt, counted from 1:
// anything up to 2 s, 4 s, 8 s … 2 h, so that deletions which failed together
// do not come back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func Backoff(attempt int) time.Duration {
	const enoughDoublings = 13
	ceiling := min(firstBackoff<<min(max(attempt-1, 0), enoughDoublings), longestBackoff)
	return shortestBackoff + rand.N(ceiling-shortestBackoff) //nolint:gosec // spreads load, hides nothing
}
