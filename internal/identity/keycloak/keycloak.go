// Package keycloak reads the webhooks of Phase Two's keycloak-events, an
// extension that Keycloak needs to send any.
// https://github.com/p2-inc/keycloak-events
//
// It must not know what becomes of a deletion.
package keycloak

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "keycloak"
	secretEnv = "KEYCLOAK_WEBHOOK_SECRET" //nolint:gosec // the variable's name
	header    = "X-Keycloak-Signature"

	byAdmin = "admin.USER-DELETE"
	byUser  = "access.DELETE_ACCOUNT"

	// Where the id of the deleted user stands. In what admins do, authDetails
	// is the admin.
	idAdmin        = "/resourceId"
	idAdminDetails = "/details/userId"
	idSelf         = "/authDetails/userId"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Keycloak with Phase Two's keycloak-events",
		SecretEnv:   secretEnv,
		Docs:        "https://github.com/p2-inc/keycloak-events",
		SignedID:    true,
		Timestamped: false,
		IDsReusable: true, // an import gives users the ids that stand in it
	}
}

// Provider reads the extension's deliveries.
type Provider struct {
	provider.Endpoint

	signature *signature.PlainHMAC
}

// New returns the provider. Sources are names of realms.
func New(s provider.Settings) (*Provider, error) {
	verifier, err := signature.NewPlainHMAC(secretEnv, s.Secrets, header)
	if err != nil {
		return nil, err
	}
	common := provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader)
	return &Provider{common, verifier}, nil
}

type envelope struct {
	UID           jsontext.Value `json:"uid"`
	Type          string         `json:"type"`
	Time          jsontext.Value `json:"time"` // milliseconds
	RealmName     string         `json:"realmName"`
	ResourceType  string         `json:"resourceType"`
	OperationType string         `json:"operationType"`
	ResourcePath  jsontext.Value `json:"resourcePath"`
	Error         jsontext.Value `json:"error"`
	Details       jsontext.Value `json:"details"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.signature.Verify(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	at := whereID(body)
	id, err := payload.DecodeAround(body, at, &e)
	if err != nil {
		return event.Delivery{}, err
	}
	// The same for all tries of one webhook, and another for each webhook.
	eventID := payload.EventID(payload.Text(e.UID), body)
	switch {
	case !e.deleted():
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	case p.Elsewhere(e.RealmName):
		return provider.Ignored(eventID, event.IgnoreOtherInstance), nil
	case e.Type == byAdmin && e.subject() == partOfUser:
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	if e.Type == byAdmin {
		if id, err = e.agreed(id); err != nil {
			return event.Delivery{}, err
		}
	}
	return provider.One(p.Deletion(eventID, id, e.Time)), nil
}

// whereID depends on the type. resourceId is missing from older versions of the
// extension, which have the id of a user's resource in details.
func whereID(body []byte) jsontext.Pointer {
	// A type that stands twice is an error when the whole is decoded.
	if raw, err := payload.Find(body, "/type"); err == nil && payload.Text(raw) == byUser {
		return idSelf
	}
	return payload.Either(body, idAdmin, idAdminDetails)
}

// deleted says whether a user was deleted and no error stood in the way; the
// names of users' own failures end in _ERROR and so differ.
func (e envelope) deleted() bool {
	if !absent(e.Error) {
		return false
	}
	return e.Type == byUser || e.Type == byAdmin &&
		(e.ResourceType == "" || e.ResourceType == "USER") && (e.OperationType == "" || e.OperationType == "DELETE")
}
