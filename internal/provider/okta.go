package provider

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// okta reads Okta's event hooks: one or several events of the System Log in a
// request. They carry a static token and no signature.
// https://developer.okta.com/docs/concepts/event-hooks/
func okta() *Spec {
	s := &struct {
		WebhookToken *config.SecretSource `kong:"-" secret:"OKTA_WEBHOOK_TOKEN" help:"Enables /webhooks/okta (event hooks)."`
	}{}
	token := signature.NewToken(signature.Verbatim()) // the whole Authorization value
	return &Spec{
		Name:      "okta",
		Title:     "Okta",
		Docs:      "https://developer.okta.com/docs/concepts/event-hooks/",
		EnabledBy: "OKTA_WEBHOOK_TOKEN",
		IDForm:    always(`^00u[0-9A-Za-z]{17}$`),

		Settings:    s,
		Secret:      &s.WebhookToken,
		SplitSecret: config.Lines,

		Scheme:           token,
		MaxBody:          MaxBatch,
		Read:             readOkta,
		AcknowledgeEmpty: true, // Okta asks for 200 or 204 without a body
		Challenge:        answerOkta(token),
		Event:            oktaEvent,
	}
}

// The challenge is a header's value and goes back in a body, so that its form
// is bounded.
const (
	oktaChallenge    = "X-Okta-Verification-Challenge"
	maxOktaChallenge = 1 << 10
)

// answerOkta answers the request by which Okta verifies a hook, once. Okta sends
// the Authorization value with it, and one that is missing or wrong is refused first:
// a hook that were verified without it would lose every event to a 401, because
// Okta never repeats those.
// https://support.okta.com/help/s/article/Unable-to-verify-event-hook-Hook-hook-name-execution-failed
func answerOkta(token *signature.Token) func(h http.Header) ([]byte, error) {
	return func(h http.Header) ([]byte, error) {
		if err := token.CheckHeader(h); err != nil {
			return nil, err
		}
		values := h.Values(oktaChallenge)
		if len(values) != 1 || values[0] == "" || len(values[0]) > maxOktaChallenge || !config.Printable(values[0]) {
			return nil, fault.New(fault.Malformed, fault.ReasonBadHeader, "header %s is not one value of up to %d bytes of printable ASCII", oktaChallenge, maxOktaChallenge)
		}
		return json.Marshal(map[string]string{"verification": values[0]}, jsontext.EscapeForHTML(true))
	}
}

// readOkta judges every event alone: Okta never repeats what was answered 4xx, so one
// that cannot be read must neither be lost nor take the others with it.
func readOkta(m Message) (deletion.Delivery, error) {
	events, rest, err := payload.Cut(m.Payload, "/data/events")
	if err != nil {
		return deletion.Delivery{}, err
	}
	var hook struct {
		EventID jsontext.Value `json:"eventId"`
	}
	// The events are judged alone, but what stands around them is strict.
	if err := payload.Decode(rest, &hook); err != nil {
		return deletion.Delivery{}, err
	}
	if events.Kind() != jsontext.KindBeginArray {
		return deletion.Delivery{}, fault.New(fault.Malformed, fault.ReasonBadType, "data.events is not an array")
	}
	b := &batch{message: m}
	for raw, err := range payload.Elements(events) {
		if err == nil {
			err = addOkta(b, raw)
		}
		if err != nil {
			return deletion.Delivery{}, err
		}
	}
	b.delivery.EventID = payload.EventID(payload.Text(hook.EventID), m.Payload)
	return b.delivery, nil
}

// oktaUserDeleted is the only event of a user's deletion that a hook can deliver:
// user.lifecycle.delete.completed is not eligible, and a deactivated user comes
// back. https://developer.okta.com/docs/reference/api/event-types/
const oktaUserDeleted = "user.lifecycle.delete.initiated"

// oktaLog leaves out the actor, who deleted and is not deleted. Its values are
// raw because events of other types are not ours to refuse.
type oktaLog struct {
	UUID      jsontext.Value `json:"uuid"`
	EventType jsontext.Value `json:"eventType"`
	Published jsontext.Value `json:"published"`
	Outcome   jsontext.Value `json:"outcome"`
	Target    jsontext.Value `json:"target"`
}

// addOkta judges one event. One that cannot be read is held for a human: its text
// could be anybody's, so it is not kept.
func addOkta(b *batch, raw jsontext.Value) error {
	var e oktaLog
	if err := payload.Decode(raw, &e); err != nil {
		if fault.ReasonOf(err) != fault.ReasonBadType {
			return b.holdInvalid(raw, "(unreadable event)")
		}
		b.ignore() // not an object: no event at all
		return nil
	}
	result, told := e.result()
	if payload.Text(e.EventType) != oktaUserDeleted || told && result != "SUCCESS" {
		b.ignore()
		return nil
	}
	id := e.user()
	if !told {
		id = id.Untrusted()
	}
	b.add(b.message.deletion(payload.EventID(payload.Text(e.UUID), raw), id, e.Published))
	return nil
}

// result returns how it went. An event that does not tell is held: it may have
// gone well.
func (e oktaLog) result() (result string, told bool) {
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
func (e oktaLog) user() payload.ID {
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
		return payload.Unidentified(deletion.QuoteID(fmt.Sprintf("%d users: %s", len(shown), strings.Join(shown, " "))))
	}
	return id
}

// oktaEvent is one event in the envelope of Okta's example, as its description of the
// System Log has it.
// https://developer.okta.com/docs/concepts/event-hooks/#sample-event-delivery-payload
func oktaEvent(s Sample) any {
	at := s.Time.UTC().Format(time.RFC3339Nano)
	deletion := map[string]any{
		"uuid":           s.EventID,
		"published":      at,
		"eventType":      oktaUserDeleted,
		"version":        "0",
		"displayMessage": "Delete Okta user initiated",
		"severity":       "INFO",
		"actor":          map[string]any{"id": "00uttidj01jqL21aM1d6", "type": "User", "alternateId": "admin@example.com", "displayName": "Admin"},
		"outcome":        map[string]any{"result": "SUCCESS", "reason": nil},
		"target":         []any{map[string]any{"id": s.ExternalID, "type": "User", "alternateId": "user@example.com", "displayName": "User"}},
	}
	return map[string]any{
		"eventType":          "com.okta.event_hook",
		"eventTypeVersion":   "1.0",
		"cloudEventsVersion": "0.1",
		"source":             "https://example.okta.com/api/v1/eventHooks/who7hphp39JoHLni81d7",
		"eventId":            "85b60edb-4263-4e13-993b-818e26201052",
		"data":               map[string]any{"events": []any{deletion}},
		"eventTime":          at,
		"contentType":        "application/json",
	}
}
