package provider

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type standardSettings struct {
	WebhookSecret *config.SecretSource `kong:"-" secret:"STANDARD_WEBHOOK_SECRET" help:"Enables /webhooks/standard (any sender of Standard Webhooks)."`
	EventTypes    string               `name:"standard-event-types" env:"STANDARD_EVENT_TYPES" type:"setting" default:"user.deleted" placeholder:"TYPES" help:"Event types that mean a user's deletion, separated by commas."`
	TypeField     string               `name:"standard-type-field" env:"STANDARD_TYPE_FIELD" type:"setting" default:"/type" placeholder:"POINTER" help:"JSON pointer to the event's type."`
	IDField       string               `name:"standard-id-field" env:"STANDARD_ID_FIELD" type:"setting" default:"/data/id" placeholder:"POINTER" help:"JSON pointer to Polar's external id. Users must not be able to change what stands there."`
}

// standard reads the webhooks of any sender that signs as Standard Webhooks or Svix
// do: which events are deletions and where the id stands is the operator's to say.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func standard(o Options) *Spec {
	s := &standardSettings{}
	return &Spec{
		Name:        "standard",
		Title:       "Standard Webhooks",
		Docs:        "https://www.standardwebhooks.com",
		EnabledBy:   "STANDARD_WEBHOOK_SECRET",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: true, // the sender's choice

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,
		Check:       s.check,

		Scheme: signature.NewStandard(o.Now, signature.StandardHeaders(), signature.SvixHeaders()),
		Read:   s.read,
		Event:  s.event,
	}
}

func (s *standardSettings) types() []string { return config.List(cmp.Or(s.EventTypes, "user.deleted")) }

func (s *standardSettings) typeField() jsontext.Pointer {
	return jsontext.Pointer(cmp.Or(s.TypeField, "/type"))
}

func (s *standardSettings) idField() jsontext.Pointer {
	return jsontext.Pointer(cmp.Or(s.IDField, "/data/id"))
}

func (s *standardSettings) check(l *config.Loader) {
	for _, name := range s.types() {
		l.RequireValue(name != "" && config.Printable(name), "STANDARD_EVENT_TYPES", "must be event types such as user.deleted, separated by commas")
	}
	l.RequireValue(usablePointer(s.typeField()), "STANDARD_TYPE_FIELD", "must be a JSON pointer such as /type")
	l.RequireValue(usablePointer(s.idField()), "STANDARD_ID_FIELD", "must be a JSON pointer such as /data/id")
	l.Require(!s.typeField().Contains(s.idField()) && !s.idField().Contains(s.typeField()), "STANDARD_ID_FIELD", "must not overlap with STANDARD_TYPE_FIELD")
}

func (s *standardSettings) read(m Message) (deletion.Delivery, error) {
	var convention struct {
		Timestamp jsontext.Value `json:"timestamp"`
	}
	id, err := payload.DecodeAround(m.Payload, s.idField(), &convention)
	if err != nil {
		return deletion.Delivery{}, err
	}
	deletes, err := s.deletes(m.Payload)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(m.ID, m.Payload)
	if !deletes {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	return only(m.deletion(eventID, id, convention.Timestamp)), nil
}

// deletes says whether the event's type is one of those that are looked for.
func (s *standardSettings) deletes(body []byte) (bool, error) {
	raw, err := payload.Find(body, s.typeField())
	if err != nil {
		return false, err
	}
	if raw != nil && !raw.IsValid() {
		return false, fault.New(fault.Malformed, fault.ReasonBadJSON, "the event's type is not strict JSON")
	}
	if kind := raw.Kind(); raw != nil && kind != jsontext.KindString && kind != jsontext.KindNull {
		return false, fault.New(fault.Malformed, fault.ReasonBadType, "the event's type is a JSON %s", kind)
	}
	return slices.Contains(s.types(), payload.Text(raw)), nil
}

// event follows the specification's convention.
func (s *standardSettings) event(sample Sample) any {
	e := map[string]any{"timestamp": sample.Time.UTC().Format(time.RFC3339Nano)}
	putStandard(e, s.typeField(), first(s.types()))
	putStandard(e, s.idField(), sample.ExternalID)
	return e
}

// putStandard sets the value at the pointer and makes the objects on the way to it.
func putStandard(object map[string]any, at jsontext.Pointer, value string) {
	names := slices.Collect(at.Tokens())
	for _, name := range names[:len(names)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[names[len(names)-1]] = value
}
