package provider

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// maxUnreadable is how many unreadable items a delivery may have before it
// counts as broken as a whole: each of them takes a human.
const maxUnreadable = 100

// batch gathers what the items of one delivery say. Each is judged alone: one
// that cannot be read must neither be lost nor take the others with it.
type batch struct {
	message    Message
	deletions  []event.Deletion
	ignored    int
	unreadable int
}

// add keeps a deletion.
func (b *batch) add(d event.Deletion) { b.deletions = append(b.deletions, d) }

// ignore counts an item of another type.
func (b *batch) ignore() { b.ignored++ }

// holdUnreadable holds an item that is not JSON for a human. What is shown for its
// id: its own text could be anybody's, so it is not kept. It fails when there
// are too many.
func (b *batch) holdUnreadable(raw jsontext.Value, shown string) error {
	if b.unreadable++; b.unreadable > maxUnreadable {
		return b.broken()
	}
	b.add(b.message.deletion(payload.EventID("", raw), payload.Nobody(shown)))
	return nil
}

// broken returns the error of a delivery of which too little could be read.
func (b *batch) broken() error {
	return fault.New(fault.Malformed, fault.ReasonBadJSON, "%d items or more could not be read", b.unreadable)
}

// anyUnreadable says whether an item could not be read.
func (b *batch) anyUnreadable() bool { return b.unreadable > 0 }

// delivery returns what was gathered.
func (b *batch) delivery(eventID string) event.Delivery {
	d := event.Delivery{EventID: eventID, Deletions: b.deletions, Ignored: b.ignored}
	if b.ignored > 0 {
		d.IgnoreReason = event.IgnoreOtherType
	}
	return d
}
