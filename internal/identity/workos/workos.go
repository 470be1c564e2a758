// Package workos reads the webhooks of WorkOS: users of AuthKit and, if asked
// to, of Directory Sync.
// https://workos.com/docs/events/data-syncing/webhooks
//
// It must not know what becomes of a deletion.
package workos

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name             = "workos"
	secretEnv        = "WORKOS_WEBHOOK_SECRET" //nolint:gosec // the variable's name
	userDeleted      = "user.deleted"
	directoryDeleted = "dsync.user.deleted"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "WorkOS",
		SecretEnv:   secretEnv,
		Docs:        "https://workos.com/docs/events/data-syncing/webhooks",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: false,
	}
}

// form is that of workos-node and workos-go, whose default tolerance it has. The
// former accepts any time in the future.
// https://github.com/workos/workos-node/blob/main/src/common/crypto/signature-provider.ts
func form() signature.TimedForm {
	return signature.TimedForm{
		Header: "Workos-Signature", Separator: ", ", Unit: time.Millisecond, Tolerance: 180 * time.Second,
	}
}

// Provider reads WorkOS's deliveries.
type Provider struct {
	provider.Endpoint

	signature     *signature.TimedHMAC
	idField       string
	directorySync bool
}

// New returns the provider. IDField is "id" (the default) or "external_id",
// which directory users do not have.
func New(s provider.Settings) (*Provider, error) {
	idField, err := s.ChosenID("WORKOS_ID_FIELD")
	if err != nil {
		return nil, err
	}
	if s.DirectorySync && idField != provider.IDOwn {
		return nil, errors.New("WORKOS_DIRECTORY_SYNC needs WORKOS_ID_FIELD=id: directory users have no external id")
	}
	verifier, err := signature.NewTimedHMAC(secretEnv, s.Secrets, s.Clock(), form())
	if err != nil {
		return nil, err
	}
	common := provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader)
	return &Provider{common, verifier, idField, s.DirectorySync}, nil
}

// Acknowledge answers 200, which is what WorkOS's documentation asks for.
func (p *Provider) Acknowledge(event.Receipt) (status int, body []byte) { return http.StatusOK, nil }

// envelope leaves context out: its actor is who deleted, not who was deleted.
type envelope struct {
	ID        jsontext.Value `json:"id"`
	Event     string         `json:"event"` // and not type
	CreatedAt jsontext.Value `json:"created_at"`
	Data      jsontext.Value `json:"data"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.signature.Verify(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, jsontext.Pointer("/data/"+p.idField), &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.ID), body)
	if e.Event != userDeleted && (!p.directorySync || e.Event != directoryDeleted) {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	var user struct {
		ID jsontext.Value `json:"id"`
	}
	if err := payload.Member(e.Data, &user); err != nil {
		return event.Delivery{}, err
	}
	d := p.Deletion(eventID, id, e.CreatedAt)
	if p.idField == provider.IDExternal {
		if id.Absent() {
			return provider.Ignored(eventID, event.IgnoreNoExternalID), nil
		}
		d.UserID = payload.NewID(user.ID).Usable()
	}
	return provider.One(d), nil
}
