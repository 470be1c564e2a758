// Package auth0 reads the webhooks of Auth0 Event Streams. They carry a static
// token and no signature.
// https://auth0.com/docs/customize/events/create-an-event-stream
//
// It must not know what becomes of a deletion.
package auth0

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "auth0"
	secretEnv = "AUTH0_WEBHOOK_TOKEN" //nolint:gosec // the variable's name
	idUser    = "/data/object/user_id"
	// idMetadata is where a tenant may keep an id of its own. user_metadata is
	// not allowed: users can edit it, and so could choose whose customer goes.
	idMetadata = "/data/object/app_metadata/"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Auth0 Event Streams",
		SecretEnv:   secretEnv,
		Docs:        "https://auth0.com/docs/customize/events/create-an-event-stream",
		SignedID:    false,
		Timestamped: false,
		IDsReusable: true, // imported and custom-database ids are the tenant's choice
	}
}

// Provider reads the deliveries of an event stream.
type Provider struct {
	provider.Endpoint

	idField jsontext.Pointer
}

// New returns the provider. IDField is a JSON pointer, by default
// /data/object/user_id, else below /data/object/app_metadata/; Sources
// are ids of streams, "est_…".
func New(s provider.Settings) (*Provider, error) {
	idField := jsontext.Pointer(cmp.Or(s.IDField, idUser))
	below := strings.HasPrefix(s.IDField, idMetadata) && len(s.IDField) > len(idMetadata)
	if idField != idUser && !below || !idField.IsValid() {
		return nil, fmt.Errorf("AUTH0_ID_FIELD must be %s or a JSON pointer below %s", idUser, idMetadata)
	}
	token, err := signature.NewToken(secretEnv, s.Secrets, signature.Bearer())
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxProfile, token.CheckHeader), idField}, nil
}

// envelope is the CloudEvent. specversion is not read: Auth0's documentation
// disagrees with itself about its name.
type envelope struct {
	Type    string         `json:"type"`
	ID      jsontext.Value `json:"id"`
	Time    jsontext.Value `json:"time"`
	Purpose string         `json:"a0purpose"`
	Stream  string         `json:"a0stream"`
	Tenant  string         `json:"a0tenant"`
	Data    jsontext.Value `json:"data"`
}

// data leaves out identities, whose user_id lacks the connection's prefix and
// may be an integer, and previous_object, which is not the user that went.
type data struct {
	Object struct {
		UserID    jsontext.Value `json:"user_id"`
		DeletedAt jsontext.Value `json:"deleted_at"`
	} `json:"object"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.CheckHeader(h); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, p.idField, &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.ID), body)
	switch {
	case e.Type != "user.deleted":
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	case e.Purpose == "test":
		return provider.Ignored(eventID, event.IgnoreTestEvent), nil
	case p.Elsewhere(e.Stream):
		return provider.Ignored(eventID, event.IgnoreOtherInstance), nil
	}
	var user data
	if err := payload.Member(e.Data, &user); err != nil {
		return event.Delivery{}, err
	}
	d := p.Deletion(eventID, id, e.Time, user.Object.DeletedAt)
	if p.idField != idUser {
		if id.Absent() {
			return provider.Ignored(eventID, event.IgnoreNoExternalID), nil
		}
		d.UserID = payload.NewID(user.Object.UserID).Usable()
	}
	return provider.One(provider.At(d, e.Tenant)), nil
}
