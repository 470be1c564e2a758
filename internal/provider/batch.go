package provider

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// maxInvalid is how many unreadable items a delivery may have before it
// counts as broken as a whole: each of them takes a human.
const maxInvalid = 100

// batch gathers what the items of one delivery say. Each is judged alone: one
// that cannot be read must neither be lost nor take the others with it.
type batch struct {
	message   Message
	deletions []deletion.Deletion
	ignored   int
	invalid   int
}

// addItem keeps a deletion.
func (b *batch) addItem(d deletion.Deletion) { b.deletions = append(b.deletions, d) }

// ignore counts an item of another type.
func (b *batch) ignore() { b.ignored++ }

// holdInvalid holds an item that is not JSON for a human. display stands for its
// id: its own text could be anybody's, so it is not kept. It fails when there
// are too many.
func (b *batch) holdInvalid(raw jsontext.Value, display string) error {
	if b.invalid++; b.invalid > maxInvalid {
		return b.tooManyInvalid()
	}
	b.addItem(b.message.deletion(payload.EventID("", raw), payload.Unidentified(display)))
	return nil
}

// tooManyInvalid returns the error of a delivery of which too little could be read.
func (b *batch) tooManyInvalid() error {
	return fault.New(fault.Malformed, fault.ReasonBadJSON, "%d items or more could not be read", b.invalid)
}

// anyInvalid says whether an item could not be read.
func (b *batch) anyInvalid() bool { return b.invalid > 0 }

// delivery returns what was gathered.
func (b *batch) delivery(eventID string) deletion.Delivery {
	d := deletion.Delivery{EventID: eventID, Deletions: b.deletions, Ignored: b.ignored}
	if b.ignored > 0 {
		d.IgnoreReason = deletion.IgnoreOtherType
	}
	return d
}
