package provider

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// betterAuth reads what the hook in docs/providers/better-auth.md sends: Better Auth
// itself has no webhooks.
// https://www.better-auth.com/docs/concepts/database#database-hooks
func betterAuth(o Options) *Spec {
	s := &struct {
		WebhookSecret *config.SecretSource `kong:"-" secret:"BETTER_AUTH_WEBHOOK_SECRET" help:"Enables /webhooks/better-auth (the hook of its page)."`
	}{}
	return &Spec{
		Name:        "better-auth",
		Title:       "Better Auth",
		Docs:        "https://www.better-auth.com/docs/concepts/database#database-hooks",
		EnabledBy:   "BETTER_AUTH_WEBHOOK_SECRET",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: false, // random texts, unless the application chooses others

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,

		Scheme: signature.NewSvix(o.Now, signature.StandardHeaders()),
		Read:   readBetterAuth,
		Event:  betterAuthEvent,
	}
}

// readBetterAuth ignores an anonymous user: the anonymous plugin deletes that one when
// the same person signs up.
// https://www.better-auth.com/docs/plugins/anonymous
func readBetterAuth(m Message) (deletion.Delivery, error) {
	var event struct {
		Type      string         `json:"type"`
		Timestamp jsontext.Value `json:"timestamp"`
		Data      struct {
			IsAnonymous bool `json:"isAnonymous"`
		} `json:"data"`
	}
	id, err := payload.DecodeAround(m.Payload, "/data/id", &event)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(m.ID, m.Payload)
	if event.Type != "user.deleted" || event.Data.IsAnonymous {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	return only(m.deletion(eventID, id, event.Timestamp)), nil
}

// betterAuthEvent is what the hook sends.
func betterAuthEvent(s Sample) any {
	return map[string]any{
		"type":      "user.deleted",
		"timestamp": s.Time.UTC().Format(time.RFC3339Nano),
		"data":      map[string]any{"id": s.ExternalID, "isAnonymous": false},
	}
}
