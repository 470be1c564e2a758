// Package clerk reads the webhooks of Clerk, which Svix signs and delivers.
// https://clerk.com/docs/guides/development/webhooks/overview
//
// It must not know what becomes of a deletion.
package clerk

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "clerk"
	secretEnv = "CLERK_WEBHOOK_SIGNING_SECRET" //nolint:gosec // the variable's name
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Clerk",
		SecretEnv:   secretEnv,
		Docs:        "https://clerk.com/docs/guides/development/webhooks/overview",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: false,
	}
}

// Provider reads Clerk's deliveries.
type Provider struct {
	provider.Endpoint

	signature *signature.Svix
	idField   string
}

// New returns the provider. IDField is "id" (the default) or "external_id",
// Sources are instance ids, "ins_…".
func New(s provider.Settings) (*Provider, error) {
	idField, err := s.ChosenID("CLERK_ID_FIELD")
	if err != nil {
		return nil, err
	}
	// Clerk's own verifier takes the svix-* set only.
	verifier, err := signature.NewSvix(secretEnv, s.Secrets, s.Clock(), signature.SvixHeaders())
	if err != nil {
		return nil, err
	}
	common := provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader)
	return &Provider{common, verifier, idField}, nil
}

// envelope leaves out what other types of events carry in other forms.
type envelope struct {
	Type       string         `json:"type"`
	InstanceID string         `json:"instance_id"`
	Timestamp  jsontext.Value `json:"timestamp"` // seconds or milliseconds
	Data       jsontext.Value `json:"data"`
}

// deleted is Clerk's DeletedObject, which deleted organizations and roles
// share. Only object and deleted are required by its schema.
type deleted struct {
	Object  string         `json:"object"`
	Deleted bool           `json:"deleted"`
	ID      jsontext.Value `json:"id"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	messageID, err := p.signature.Verify(h, body)
	if err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, jsontext.Pointer("/data/"+p.idField), &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(messageID, body)
	var user deleted
	if e.Type == "user.deleted" {
		if err := payload.Member(e.Data, &user); err != nil {
			return event.Delivery{}, err
		}
	}
	switch {
	case user.Object != "user" || !user.Deleted:
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	case p.Elsewhere(e.InstanceID):
		return provider.Ignored(eventID, event.IgnoreOtherInstance), nil
	case p.idField == provider.IDExternal && id.Absent():
		return provider.Ignored(eventID, event.IgnoreNoExternalID), nil
	}
	d := p.Deletion(eventID, id, e.Timestamp)
	if p.idField == provider.IDExternal {
		d.UserID = payload.NewID(user.ID).Usable()
	}
	return provider.One(provider.At(d, e.InstanceID)), nil
}
