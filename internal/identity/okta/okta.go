// Package okta reads Okta's event hooks: one or several events of the System Log
// in a request. They carry a static token and no signature.
// https://developer.okta.com/docs/concepts/event-hooks/
//
// It must not know what becomes of a deletion.
package okta

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "okta"
	secretEnv = "OKTA_WEBHOOK_TOKEN" //nolint:gosec // the variable's name
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Okta",
		SecretEnv:   secretEnv,
		Docs:        "https://developer.okta.com/docs/concepts/event-hooks/",
		SignedID:    false,
		Timestamped: false,
		IDsReusable: false,
	}
}

// Provider reads the deliveries of an event hook.
type Provider struct{ provider.Endpoint }

// New returns the provider. The token is the whole Authorization value.
func New(s provider.Settings) (*Provider, error) {
	token, err := signature.NewToken(secretEnv, s.Secrets, signature.Verbatim())
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxBatch, token.CheckHeader)}, nil
}

// Acknowledge answers as Okta asks for: 200 or 204 without a body.
func (*Provider) Acknowledge(event.Receipt) (status int, body []byte) { return http.StatusOK, nil }

// Receive returns the deletions in a delivery. Okta never repeats what was
// answered 4xx, so every event is judged alone: one that cannot be read must
// neither be lost nor take the others with it.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.CheckHeader(h); err != nil {
		return event.Delivery{}, err
	}
	events, rest, err := payload.Cut(body, "/data/events")
	if err != nil {
		return event.Delivery{}, err
	}
	var hook struct {
		EventID jsontext.Value `json:"eventId"`
	}
	// The events are judged alone, but what stands around them is strict.
	if err := payload.Decode(rest, &hook); err != nil {
		return event.Delivery{}, err
	}
	if events.Kind() != jsontext.KindBeginArray {
		return event.Delivery{}, fault.New(fault.Malformed, fault.ReasonBadType, "data.events is not an array")
	}
	b := p.NewBatch()
	for raw, err := range payload.Elements(events) {
		if err == nil {
			err = p.add(b, raw)
		}
		if err != nil {
			return event.Delivery{}, err
		}
	}
	return b.Delivery(payload.EventID(payload.Text(hook.EventID), body)), nil
}
