package provider

import (
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// supabase reads a Supabase Database Webhook on the table auth.users: a trigger that
// sends each deleted row. It carries a static token and no signature, and it is sent
// once.
// https://supabase.com/docs/guides/database/webhooks
func supabase() *Spec {
	s := &struct {
		WebhookToken *config.SecretSource `kong:"-" secret:"SUPABASE_WEBHOOK_TOKEN" help:"Enables /webhooks/supabase (Database Webhooks)."`
	}{}
	const env, own = "SUPABASE_WEBHOOK_TOKEN", "Make a token of your own: openssl rand -hex 32."
	return &Spec{
		Name:        "supabase",
		Title:       "Supabase",
		Docs:        "https://supabase.com/docs/guides/database/webhooks",
		EnabledBy:   env,
		IDsReusable: false, // random UUIDs, unless the project chooses its own
		IDForm:      always(formUUID),

		Settings:    s,
		Secret:      &s.WebhookToken,
		SplitSecret: config.Lines,
		// https://supabase.com/docs/guides/api/api-keys
		Misplaced: []config.MisplacedKey{
			{Setting: env, Prefix: "eyJ", Problem: "is a JSON Web Token: Supabase's anon key is one, and everybody may know that", Do: own},
			{Setting: env, Prefix: "sb_publishable_", Problem: "is a publishable key, which everybody may know", Do: own},
			{Setting: env, Prefix: "sb_secret_", Problem: "is a secret key of Supabase's API, which opens the whole database", Do: own},
		},

		Scheme:  signature.NewToken(signature.Bearer()),
		MaxBody: MaxProfile,
		Read:    readSupabase,
		Event:   supabaseEvent,
	}
}

// readSupabase reads what the trigger says about one row. The row itself holds what is
// nobody's business here, the password's hash among it, so only its id is read. A user
// who is only marked as deleted is an UPDATE. The body is all there is to recognise a
// repeat by, and nothing says when it happened.
func readSupabase(m Message) (deletion.Delivery, error) {
	var change struct {
		Type   string `json:"type"`
		Schema string `json:"schema"`
		Table  string `json:"table"`
	}
	id, err := payload.DecodeAround(m.Payload, "/old_record/id", &change)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID("", m.Payload)
	if change.Type != "DELETE" || change.Schema != "auth" || change.Table != "users" {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	return only(m.deletion(eventID, id)), nil
}

// supabaseEvent has no id of its own: like a repeat, a second sample is recognised by
// its body, so the row carries the event's id as its user's name.
func supabaseEvent(s Sample) any {
	return map[string]any{
		"type":   "DELETE",
		"table":  "users",
		"schema": "auth",
		"record": nil,
		"old_record": map[string]any{
			"id":                 s.ExternalID,
			"aud":                "authenticated",
			"role":               "authenticated",
			"email":              "user@example.com",
			"created_at":         s.Time.UTC().Format(time.RFC3339Nano),
			"raw_user_meta_data": map[string]any{"name": s.EventID},
			"deleted_at":         nil,
		},
	}
}
