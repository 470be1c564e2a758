// Package standard reads the webhooks of any sender that signs as Standard
// Webhooks or Svix do: which events are deletions and where the id stands is the
// operator's to say.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
//
// It must not know what becomes of a deletion.
package standard

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name             = "standard"
	secretEnv        = "STANDARD_WEBHOOK_SECRET"
	defaultEventType = "user.deleted"
	defaultTypeField = "/type"
	defaultIDField   = "/data/id"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Standard Webhooks",
		SecretEnv:   secretEnv,
		Docs:        "https://www.standardwebhooks.com",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: true, // the sender's choice
	}
}

// Provider reads the sender's deliveries.
type Provider struct {
	provider.Endpoint

	signature  *signature.Svix
	eventTypes []string
	typeField  jsontext.Pointer
	idField    jsontext.Pointer
}

// New returns the provider. EventTypes are user.deleted by default; TypeField
// and IDField are JSON pointers, by default /type and /data/id.
func New(s provider.Settings) (*Provider, error) {
	p := &Provider{
		eventTypes: s.EventTypesOr(defaultEventType),
		typeField:  jsontext.Pointer(cmp.Or(s.TypeField, defaultTypeField)),
		idField:    jsontext.Pointer(cmp.Or(s.IDField, defaultIDField)),
	}
	switch {
	case slices.Contains(p.eventTypes, ""):
		return nil, errors.New("STANDARD_EVENT_TYPES must not have an empty type in it")
	case !usable(p.typeField):
		return nil, errors.New("STANDARD_TYPE_FIELD must be a JSON pointer such as /type")
	case !usable(p.idField):
		return nil, errors.New("STANDARD_ID_FIELD must be a JSON pointer such as /data/id")
	case p.idField.Contains(p.typeField) || p.typeField.Contains(p.idField):
		return nil, errors.New("STANDARD_ID_FIELD must not overlap with STANDARD_TYPE_FIELD")
	}
	verifier, err := signature.NewStandard(secretEnv, s.Secrets, s.Clock(), signature.StandardHeaders(), signature.SvixHeaders())
	if err != nil {
		return nil, err
	}
	p.signature, p.Endpoint = verifier, provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader)
	return p, nil
}

// usable says whether the pointer is valid and all of its names have a text.
func usable(p jsontext.Pointer) bool {
	tokens := slices.Collect(p.Tokens())
	return p.IsValid() && len(tokens) > 0 && !slices.Contains(tokens, "")
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	messageID, err := p.signature.Verify(h, body)
	if err != nil {
		return event.Delivery{}, err
	}
	var convention struct {
		Timestamp jsontext.Value `json:"timestamp"`
	}
	id, err := payload.DecodeAround(body, p.idField, &convention)
	if err != nil {
		return event.Delivery{}, err
	}
	deletes, err := p.deletes(body)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(messageID, body)
	if !deletes {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	return provider.One(p.Deletion(eventID, id, convention.Timestamp)), nil
}

// deletes says whether the event's type is one of those that are looked for.
func (p *Provider) deletes(body []byte) (bool, error) {
	raw, err := payload.Find(body, p.typeField)
	if err != nil {
		return false, err
	}
	if raw != nil && !raw.IsValid() {
		return false, fault.New(fault.Malformed, fault.ReasonBadJSON, "the event's type is not strict JSON")
	}
	if kind := raw.Kind(); raw != nil && kind != jsontext.KindString && kind != jsontext.KindNull {
		return false, fault.New(fault.Malformed, fault.ReasonBadType, "the event's type is a JSON %s", kind)
	}
	return slices.Contains(p.eventTypes, payload.Text(raw)), nil
}
