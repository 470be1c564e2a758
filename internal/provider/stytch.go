package provider

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// stytch reads the webhooks of Stytch's consumer projects, which Svix signs and
// delivers.
// https://stytch.com/docs/b2b/guides/webhooks
func stytch(o Options) *Spec {
	s := &struct {
		WebhookSecret *config.SecretSource `kong:"-" secret:"STYTCH_WEBHOOK_SECRET" help:"Enables /webhooks/stytch."`
	}{}
	return &Spec{
		Name:        "stytch",
		Title:       "Stytch",
		Docs:        "https://stytch.com/docs/b2b/guides/webhooks",
		EnabledBy:   "STYTCH_WEBHOOK_SECRET",
		SignedID:    true,
		Timestamped: true,
		IDForm:      always(`^user-(test|live)-[0-9a-f-]{36}$`),

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,

		Scheme: signature.NewSvix(o.Now, signature.SvixHeaders()),
		Read:   readStytch,
		Event:  stytchEvent,
	}
}

// readStytch finds the type in three members: "direct.user.delete" is composed of
// source, object_type and action. The source says who asked for the deletion, not
// whether it happened. A member of a B2B organization is not a user: one person may
// be a member of several.
func readStytch(m Message) (deletion.Delivery, error) {
	var change struct {
		Action     string         `json:"action"`
		ObjectType string         `json:"object_type"`
		Timestamp  jsontext.Value `json:"timestamp"`
	}
	id, err := payload.DecodeAround(m.Payload, "/id", &change)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(m.ID, m.Payload)
	if change.Action != "DELETE" || change.ObjectType != "user" {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	return only(m.deletion(eventID, id, change.Timestamp)), nil
}

// stytchEvent follows Stytch's event catalogue.
// https://www.svix.com/event-types/us/org_2olWIePjxAFYube1xW8DoQUEnyY
func stytchEvent(s Sample) any {
	return map[string]any{
		"action":      "DELETE",
		"event_id":    "webhook-event-test-00000000-0000-0000-0000-000000000000",
		"id":          s.ExternalID,
		"object_type": "user",
		"project_id":  "project-test-00000000-0000-0000-0000-000000000000",
		"source":      "DASHBOARD",
		"timestamp":   s.Time.UTC().Format(time.RFC3339Nano),
		"vertical":    "CONSUMER",
	}
}
