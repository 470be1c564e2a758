package okta

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/payload"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
)

// userDeleted is the only event of a user's deletion that a hook can deliver:
// user.lifecycle.delete.completed is not eligible, and a deactivated user comes
// back. https://developer.okta.com/docs/reference/api/event-types/
const userDeleted = "user.lifecycle.delete.initiated"

// unreadableEvent stands for the id of an event that is not JSON. Its text could
// be anybody's, so it is not kept.
const unreadableEvent = "(unreadable event)"

// maxUnreadable is how many unreadable events a request may have before it
// counts as broken as a whole: each of them takes a human.
const maxUnreadable = 100

// logEvent leaves out the actor, who deleted and is not deleted. Its values are
// raw because events of other types are not ours to refuse.
type logEvent struct {
	UUID      jsontext.Value `json:"uuid"`
	EventType jsontext.Value `json:"eventType"`
	Published jsontext.Value `json:"published"`
	Outcome   jsontext.Value `json:"outcome"`
	Target    jsontext.Value `json:"target"`
}

// batch gathers what the events of one request say.
type batch struct {
	received   time.Time
	deletions  []event.Deletion
	ignored    int
	unreadable int
}

// add judges one event. One that is not strict JSON is held for a human unless
// it certainly is of another type.
func (b *batch) add(raw jsontext.Value) {
	var e logEvent
	if err := json.Unmarshal(raw, &e, jsontext.AllowInvalidUTF8(true)); err != nil {
		if raw.IsValid() {
			b.ignored++ // strict JSON, but not an object: no event at all
			return
		}
		b.unreadable++
		b.hold(event.Deletion{EventID: payload.EventID("", raw), UnusableID: unreadableEvent, OccurredAt: b.received})
		return
	}
	result, told := e.result()
	if payload.Text(e.EventType) != userDeleted || told && result != "SUCCESS" {
		b.ignored++
		return
	}
	d := event.Deletion{
		EventID:    payload.EventID(payload.Text(e.UUID), raw),
		OccurredAt: payload.Occurred(e.Published, b.received),
	}
	ids := e.users()
	switch {
	case len(ids) > 1:
		d.UnusableID = several(ids)
	case !told || !raw.IsValid():
		d.UnusableID = only(ids).Unusable()
	default:
		d = only(ids).Into(d)
		d.UserID = d.ExternalID
	}
	b.hold(d)
}

// hold keeps the deletion.
func (b *batch) hold(d event.Deletion) {
	d.Provider, d.ReceivedAt = name, b.received
	b.deletions = append(b.deletions, d)
}

func (b *batch) delivery(eventID string) event.Delivery {
	d := provider.Ignored(eventID, event.IgnoreOtherType)
	d.Deletions, d.Ignored = b.deletions, b.ignored
	if b.ignored == 0 {
		d.IgnoreReason = ""
	}
	return d
}

// result returns how it went. An event that does not tell is held: it may have
// gone well.
func (e logEvent) result() (result string, told bool) {
	var outcome struct {
		Result jsontext.Value `json:"result"`
	}
	if err := json.Unmarshal(e.Outcome, &outcome, jsontext.AllowInvalidUTF8(true)); err != nil {
		return "", false
	}
	result = payload.Text(outcome.Result)
	return result, result != ""
}

// users returns the ids of the targets that are users. Others, such as the
// user's account in an application, have ids of their own.
func (e logEvent) users() []payload.ID {
	var targets []struct {
		Type jsontext.Value `json:"type"`
		ID   jsontext.Value `json:"id"`
	}
	if err := json.Unmarshal(e.Target, &targets, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil
	}
	var ids []payload.ID
	for _, target := range targets {
		if payload.Text(target.Type) == "User" {
			ids = append(ids, payload.NewID(target.ID))
		}
	}
	return ids
}

// only returns the single id, or that of nobody.
func only(ids []payload.ID) payload.ID {
	if len(ids) == 0 {
		return payload.NewID(nil)
	}
	return ids[0]
}

// several shows the ids of an event that names more than one user. Okta does not
// say that this happens, nor which of them would be the one that went.
func several(ids []payload.ID) string {
	shown := make([]string, 0, len(ids))
	for _, id := range ids {
		shown = append(shown, id.Usable())
	}
	return event.QuoteID(fmt.Sprintf("%d users: %s", len(ids), strings.Join(shown, " ")))
}
