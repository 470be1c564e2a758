package deletion

import "time"

// maxFuture is how far ahead of ours a provider's clock is believed.
const maxFuture = 5 * time.Minute

// firstYear is before any deletion that a provider can tell of: a time that lies
// earlier is an empty value or one in another unit.
const firstYear = 2015

// Occurred returns when a provider says that something happened, however long
// ago: Svix keeps messages for 90 days and signs them again when it resends them.
// More than 5 minutes after received counts as received. ok is false when claimed
// lies before 2015 and so says nothing.
//
// https://docs.svix.com/retention
func Occurred(claimed, received time.Time) (at time.Time, ok bool) {
	if claimed.UTC().Year() < firstYear {
		return time.Time{}, false
	}
	if claimed.After(received.Add(maxFuture)) {
		return received, true
	}
	return claimed.UTC(), true
}
