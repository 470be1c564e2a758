// Package clerk reads the webhooks of Clerk, which Svix signs and delivers.
// https://clerk.com/docs/guides/development/webhooks/overview
//
// It must not know what becomes of a deletion.
package clerk

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/payload"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/sig"
)

const (
	name       = "clerk"
	secretEnv  = "CLERK_WEBHOOK_SIGNING_SECRET" //nolint:gosec // the variable's name
	idID       = "id"
	idExternal = "external_id"
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
	signature *sig.Svix
	now       func() time.Time
	idField   string
	instance  string
}

// New returns the provider. IDField is "id" (the default) or "external_id",
// Source an instance id, "ins_…".
func New(s provider.Settings) (*Provider, error) {
	p := &Provider{now: s.Clock(), idField: s.IDField, instance: s.Source}
	switch s.IDField {
	case "":
		p.idField = idID
	case idID, idExternal:
	default:
		return nil, fmt.Errorf("CLERK_ID_FIELD must be %q or %q", idID, idExternal)
	}
	// Clerk's own verifier takes the svix-* set only.
	signature, err := sig.NewSvix(secretEnv, s.Secrets, p.now, sig.SvixHeaders())
	if err != nil {
		return nil, err
	}
	p.signature = signature
	return p, nil
}

// Name returns the route's name.
func (p *Provider) Name() string { return name }

// MaxBody returns the limit of a body in bytes.
func (p *Provider) MaxBody() int64 { return provider.MaxEvent }

// CheckHeader checks the signature's headers for form and age.
func (p *Provider) CheckHeader(h http.Header) error { return p.signature.CheckHeader(h) }

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
	case p.instance != "" && e.InstanceID != p.instance:
		return provider.Ignored(eventID, event.IgnoreOtherInstance), nil
	case p.idField == idExternal && id.Absent():
		return provider.Ignored(eventID, event.IgnoreNoExternalID), nil
	}
	userID := id
	if p.idField == idExternal {
		userID = payload.NewID(user.ID)
	}
	received := p.now().UTC()
	return provider.One(id.Into(event.Deletion{
		Provider:   name,
		EventID:    eventID,
		UserID:     userID.Usable(),
		OccurredAt: payload.Occurred(e.Timestamp, received),
		ReceivedAt: received,
	})), nil
}
