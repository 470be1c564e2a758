package auth0logs

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/payload"
)

// userDeleted is the code of "Successful User Deletion". fdu is a failed one,
// and sapi reports the same deletion once more.
// https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes
const userDeleted = "sdu"

// unreadableEntry stands for the id of an entry that is not JSON. Its text could
// be anybody's, so it is not kept.
const unreadableEntry = "(unreadable entry)"

// maxUnreadable is how many unreadable entries a batch may have before it
// counts as broken as a whole: each of them takes a human.
const maxUnreadable = 100

// entry is one log entry. Its values are raw because entries of other types
// are not ours to refuse.
type entry struct {
	LogID jsontext.Value `json:"log_id"`
	Data  jsontext.Value `json:"data"`
}

type entryData struct {
	Type   jsontext.Value `json:"type"`
	LogID  jsontext.Value `json:"log_id"`
	Date   jsontext.Value `json:"date"`
	UserID jsontext.Value `json:"user_id"`
}

// batch gathers what the entries of one delivery say.
type batch struct {
	received   time.Time
	deletions  []event.Deletion
	readable   int
	ignored    int
	unreadable int
}

// add judges one entry. Those that are strict JSON count; the others are held
// for a human unless they certainly are of another type, because text that
// strangers choose, such as a user agent, stands in entries of other types.
func (b *batch) add(raw jsontext.Value) {
	var e entry
	id, err := payload.DecodeAround(raw, "/data/user_id", &e)
	if err == nil {
		b.judge(raw, e, func(d event.Deletion) event.Deletion { return id.Into(d) })
		return
	}
	if fault.ReasonOf(err) == fault.ReasonBadType {
		// Strict JSON, but not an object: no entry at all.
		b.ignored++
		return
	}
	e = entry{}
	if err := json.Unmarshal(raw, &e, jsontext.AllowInvalidUTF8(true)); err != nil {
		b.unreadable++
		b.deletions = append(b.deletions, b.held(payload.EventID("", raw), unreadableEntry))
		return
	}
	b.judge(raw, e, func(d event.Deletion) event.Deletion {
		d.UnusableID = payload.NewID(data(e).UserID).Unusable()
		return d
	})
}

// judge counts a readable entry; identify sets the id of a deletion.
func (b *batch) judge(raw jsontext.Value, e entry, identify func(event.Deletion) event.Deletion) {
	b.readable++
	d := data(e)
	if payload.Text(d.Type) != userDeleted {
		b.ignored++
		return
	}
	logID := payload.Text(e.LogID)
	if logID == "" {
		logID = payload.Text(d.LogID)
	}
	deletion := identify(b.held(payload.EventID(logID, raw), ""))
	deletion.UserID = deletion.ExternalID
	deletion.OccurredAt = payload.Occurred(d.Date, b.received)
	b.deletions = append(b.deletions, deletion)
}

// held returns a deletion without an external id.
func (b *batch) held(eventID, unusable string) event.Deletion {
	return event.Deletion{
		Provider:   name,
		EventID:    eventID,
		UnusableID: unusable,
		OccurredAt: b.received,
		ReceivedAt: b.received,
	}
}

// delivery returns what was gathered, unless nothing of it could be read.
func (b *batch) delivery() (event.Delivery, error) {
	if b.unreadable > maxUnreadable || b.unreadable > 0 && b.readable == 0 {
		return event.Delivery{}, fault.New(fault.Malformed, fault.ReasonBadJSON,
			"%d entries could not be read, %d could", b.unreadable, b.readable)
	}
	delivery := event.Delivery{Deletions: b.deletions, Ignored: b.ignored}
	if b.ignored > 0 {
		delivery.IgnoreReason = event.IgnoreOtherType
	}
	return delivery, nil
}

// data returns the entry's data, empty if it is not an object.
func data(e entry) entryData {
	var d entryData
	if err := json.Unmarshal(e.Data, &d, jsontext.AllowInvalidUTF8(true)); err != nil {
		return entryData{}
	}
	return d
}
