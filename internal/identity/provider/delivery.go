package provider

import "github.com/polar-bridge/polar-bridge/internal/event"

// Ignored returns a delivery of one event that is of no interest.
func Ignored(eventID string, reason event.IgnoreReason) event.Delivery {
	return event.Delivery{EventID: eventID, Ignored: 1, IgnoreReason: reason}
}

// One returns a delivery of one deletion.
func One(d event.Deletion) event.Delivery {
	return event.Delivery{EventID: d.EventID, Deletions: []event.Deletion{d}}
}
