// Package stytch reads the webhooks of Stytch's consumer projects, which Svix
// signs and delivers.
// https://stytch.com/docs/b2b/guides/webhooks
//
// It must not know what becomes of a deletion.
package stytch

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "stytch"
	secretEnv = "STYTCH_WEBHOOK_SECRET" //nolint:gosec // the variable's name
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Stytch",
		SecretEnv:   secretEnv,
		Docs:        "https://stytch.com/docs/b2b/guides/webhooks",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: false,
	}
}

// Provider reads Stytch's deliveries.
type Provider struct {
	provider.Endpoint

	signature *signature.Svix
}

// New returns the provider.
func New(s provider.Settings) (*Provider, error) {
	verifier, err := signature.NewSvix(secretEnv, s.Secrets, s.Clock(), signature.SvixHeaders())
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader), verifier}, nil
}

// change is Stytch's event. Its type is no member: "direct.user.delete" is
// composed of source, object_type and action. The source says who asked for the
// deletion, not whether it happened.
type change struct {
	Action     string         `json:"action"`
	ObjectType string         `json:"object_type"`
	Timestamp  jsontext.Value `json:"timestamp"`
}

// Receive returns the deletion in a delivery, if it is one. A member of a B2B
// organization is not a user: one person may be a member of several.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	messageID, err := p.signature.Verify(h, body)
	if err != nil {
		return event.Delivery{}, err
	}
	var c change
	id, err := payload.DecodeAround(body, "/id", &c)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(messageID, body)
	if c.Action != "DELETE" || c.ObjectType != "user" {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	return provider.One(p.Deletion(eventID, id, c.Timestamp)), nil
}
