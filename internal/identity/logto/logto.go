// Package logto reads the webhooks of Logto.
// https://docs.logto.io/developers/webhooks
//
// It must not know what becomes of a deletion.
package logto

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name        = "logto"
	secretEnv   = "LOGTO_WEBHOOK_SECRET" //nolint:gosec // the variable's name
	header      = "Logto-Signature-Sha-256"
	userDeleted = "User.Deleted"

	// Where the id stands. What data holds depends on Logto's version: null,
	// the API's answer, or the user.
	idParam = "/params/userId"
	idData  = "/data/id"

	// testPath is what the console's test payload has for a path.
	// https://github.com/logto-io/logto/blob/master/packages/core/src/libraries/hook/utils.ts
	testPath = "/fake-path/:id"

	firstFailure = http.StatusBadRequest
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Logto",
		SecretEnv:   secretEnv,
		Docs:        "https://docs.logto.io/developers/webhooks/secure-webhooks",
		SignedID:    true, // a digest of the signed body
		Timestamped: false,
		IDsReusable: false,
	}
}

// Provider reads Logto's deliveries.
type Provider struct {
	provider.Endpoint

	signature *signature.PlainHMAC
}

// New returns the provider.
func New(s provider.Settings) (*Provider, error) {
	verifier, err := signature.NewPlainHMAC(secretEnv, s.Secrets, header)
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader), verifier}, nil
}

// Acknowledge answers 200: Logto's documentation wants no other status.
// https://docs.logto.io/developers/webhooks/configure-webhooks
func (p *Provider) Acknowledge(event.Receipt) (status int, body []byte) { return http.StatusOK, nil }

type envelope struct {
	Event     string         `json:"event"`
	Path      string         `json:"path"`
	Status    int            `json:"status"` // of the API call that deleted
	CreatedAt jsontext.Value `json:"createdAt"`
	Data      jsontext.Value `json:"data"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.signature.Verify(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, payload.Either(body, idParam, idData), &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID("", body)
	switch {
	case e.Event != userDeleted || e.Status >= firstFailure:
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	case e.Path == testPath:
		return provider.Ignored(eventID, event.IgnoreTestEvent), nil
	}
	other, err := payload.Find(e.Data, "/id")
	if err != nil {
		return event.Delivery{}, err
	}
	id = id.Agreed(other)
	return provider.One(p.Deletion(eventID, id, e.CreatedAt)), nil
}
