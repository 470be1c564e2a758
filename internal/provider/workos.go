package provider

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type workOSSettings struct {
	WebhookSecret *config.SecretSource `kong:"-" secret:"WORKOS_WEBHOOK_SECRET" help:"Enables /webhooks/workos."`
	IDField       string               `name:"workos-id-field" env:"WORKOS_ID_FIELD" type:"setting" default:"id" placeholder:"FIELD" help:"The WorkOS user's field that is Polar's external id: id or external_id."`
	Events        string               `name:"workos-events" env:"WORKOS_EVENTS" type:"setting" default:"user.deleted" placeholder:"EVENTS" help:"The events that delete a customer, separated by a comma: user.deleted, and organization.deleted where organizations are billed. The organization's id is Polar's external id then."`
	DirectorySync bool                 `name:"workos-directory-sync" env:"WORKOS_DIRECTORY_SYNC" type:"setting" default:"false" help:"Also delete the customers whose external id is the id of a deleted directory user of WorkOS."`
}

// workOS reads the webhooks of WorkOS: users of AuthKit and, if asked to, of Directory
// Sync.
// https://workos.com/docs/events/data-syncing/webhooks
func workOS(o Options) *Spec {
	s := &workOSSettings{}
	const env, right = "WORKOS_WEBHOOK_SECRET", "Copy the signing secret from the endpoint's page at WorkOS."
	return &Spec{
		Name:        "workos",
		Title:       "WorkOS",
		Docs:        "https://workos.com/docs/events/data-syncing/webhooks",
		EnabledBy:   env,
		SignedID:    true,
		Timestamped: true,
		IDForm:      s.idForm,

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,
		Check:       s.check,
		// https://workos.com/docs/reference/api-keys
		Misplaced: []config.MisplacedKey{
			{Setting: env, Prefix: "sk_", Problem: "is an API key of WorkOS, not the secret of the webhook endpoint", Do: right},
			{Setting: env, Prefix: "client_", Problem: "is the id of a client, which everybody may know, not the secret of the webhook endpoint", Do: right},
		},

		// The form is that of workos-node and workos-go, whose default tolerance it
		// has. The former accepts any time in the future.
		// https://github.com/workos/workos-node/blob/main/src/common/crypto/signature-provider.ts
		Scheme: signature.NewTimedHMAC(o.Now, signature.TimedForm{
			Header: "Workos-Signature", Separator: ", ", Unit: time.Millisecond, Tolerance: 180 * time.Second,
		}),
		Read:             s.read,
		AcknowledgeEmpty: true, // WorkOS's documentation asks for 200
		Event:            s.event,
	}
}

func (s *workOSSettings) check(l *config.Loader) {
	l.RequireOneOf("WORKOS_ID_FIELD", s.IDField, idOwn, idExternal)
	requireEvents(l, "WORKOS_EVENTS", s.Events)
	l.Require(!s.DirectorySync || s.IDField != idExternal, "WORKOS_DIRECTORY_SYNC",
		"needs WORKOS_ID_FIELD=id, because directory users have no external id")
}

// idForm is that of WorkOS's own ids; an id of the application's may be anything.
func (s *workOSSettings) idForm() string {
	if s.IDField == idExternal && s.reads(eventUser) {
		return ""
	}
	var forms []string
	for event, prefix := range map[string]string{eventOrganization: "org", eventUser: "user", "dsync.user.deleted": "directory_user"} {
		if s.reads(event) {
			forms = append(forms, "^"+prefix+"_[0-9A-Z]+$")
		}
	}
	return strings.Join(forms, "|")
}

// reads says whether events of the type delete customers.
func (s *workOSSettings) reads(event string) bool {
	return s.DirectorySync && event == "dsync.user.deleted" || slices.Contains(config.List(cmp.Or(s.Events, eventUser)), event)
}

// read leaves context out: its actor is who deleted, not who was deleted.
func (s *workOSSettings) read(m Message) (deletion.Delivery, error) {
	var e struct {
		ID        jsontext.Value `json:"id"`
		Event     string         `json:"event"` // and not type
		CreatedAt jsontext.Value `json:"created_at"`
		Data      jsontext.Value `json:"data"`
	}
	idField := cmp.Or(s.IDField, idOwn)
	id, err := payload.DecodeAround(m.Payload, jsontext.Pointer("/data/"+idField), &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.ID), m.Payload)
	if !s.reads(e.Event) {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	var object struct {
		ID jsontext.Value `json:"id"`
	}
	if err := payload.Member(e.Data, &object); err != nil {
		return deletion.Delivery{}, err
	}
	switch {
	case e.Event == eventOrganization:
		return only(m.organization(eventID, payload.NewID(object.ID), e.CreatedAt)), nil
	case idField == idExternal && id.Absent():
		return ignored(eventID, deletion.IgnoreNoExternalID), nil
	}
	d := m.deletion(eventID, id, e.CreatedAt)
	d.UserID = payload.NewID(object.ID).Usable()
	return only(d), nil
}

// event follows the fixture of WorkOS's own Go library.
// https://github.com/workos/workos-go
func (s *workOSSettings) event(sample Sample) any {
	at := sample.Time.UTC().Format(time.RFC3339Nano)
	user := map[string]any{"object": "user", "id": sample.ExternalID, "email": "deleted@example.com", "created_at": at}
	event := eventUser
	switch {
	case !s.reads(eventUser):
		user["object"], event = "organization", eventOrganization
	case s.IDField == idExternal:
		user["id"] = "user_01E4ZCR3C56J083X43JQXF3JK5"
		user["external_id"] = sample.ExternalID
	}
	return map[string]any{
		"object":     "event",
		"id":         sample.EventID,
		"event":      event,
		"created_at": at,
		"data":       user,
		"context": map[string]any{
			"actor": map[string]any{"id": "user_01EHWNCE74X7JSDV0X3SZ3KJNY", "source": "api", "name": "Jane Doe"},
		},
	}
}
