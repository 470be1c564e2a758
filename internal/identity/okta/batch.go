package okta

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// userDeleted is the only event of a user's deletion that a hook can deliver:
// user.lifecycle.delete.completed is not eligible, and a deactivated user comes
// back. https://developer.okta.com/docs/reference/api/event-types/
const userDeleted = "user.lifecycle.delete.initiated"

// unreadableEvent stands for the id of an event that is not JSON. Its text could
// be anybody's, so it is not kept.
const unreadableEvent = "(unreadable event)"

// logEvent leaves out the actor, who deleted and is not deleted. Its values are
// raw because events of other types are not ours to refuse.
type logEvent struct {
	UUID      jsontext.Value `json:"uuid"`
	EventType jsontext.Value `json:"eventType"`
	Published jsontext.Value `json:"published"`
	Outcome   jsontext.Value `json:"outcome"`
	Target    jsontext.Value `json:"target"`
}

// add judges one event. One that cannot be read is held for a human.
func (p *Provider) add(b *provider.Batch, raw jsontext.Value) error {
	var e logEvent
	if err := payload.Decode(raw, &e); err != nil {
		if fault.ReasonOf(err) != fault.ReasonBadType {
			return b.Unreadable(raw, unreadableEvent)
		}
		b.Ignore() // not an object: no event at all
		return nil
	}
	result, told := e.result()
	if payload.Text(e.EventType) != userDeleted || told && result != "SUCCESS" {
		b.Ignore()
		return nil
	}
	id := e.user()
	if !told {
		id = id.Doubtful()
	}
	b.Add(p.Deletion(payload.EventID(payload.Text(e.UUID), raw), id, e.Published))
	return nil
}

// result returns how it went. An event that does not tell is held: it may have
// gone well.
func (e logEvent) result() (result string, told bool) {
	var outcome struct {
		Result jsontext.Value `json:"result"`
	}
	if err := payload.Member(e.Outcome, &outcome); err != nil {
		return "", false
	}
	result = payload.Text(outcome.Result)
	return result, result != ""
}

// user returns the id of the only target that is a user. Others, such as the
// user's account in an application, have ids of their own. An event that names
// several is for a human: Okta does not say that this happens, nor which of them
// would be the one that went.
func (e logEvent) user() payload.ID {
	var id payload.ID
	var shown []string
	for raw, err := range payload.Elements(e.Target) {
		var target struct {
			Type jsontext.Value `json:"type"`
			ID   jsontext.Value `json:"id"`
		}
		if err != nil || payload.Member(raw, &target) != nil {
			return payload.NewID(nil)
		}
		if payload.Text(target.Type) == "User" {
			id = payload.NewID(target.ID)
			shown = append(shown, id.Usable())
		}
	}
	if len(shown) > 1 {
		return payload.Nobody(event.QuoteID(fmt.Sprintf("%d users: %s", len(shown), strings.Join(shown, " "))))
	}
	return id
}
