// Package supabase reads a Supabase Database Webhook on the table auth.users: a
// trigger that sends each deleted row. It carries a static token and no
// signature, and it is sent once.
// https://supabase.com/docs/guides/database/webhooks
//
// It must not know what becomes of a deletion.
package supabase

import (
	"net/http"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "supabase"
	secretEnv = "SUPABASE_WEBHOOK_TOKEN" //nolint:gosec // the variable's name
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Supabase",
		SecretEnv:   secretEnv,
		Docs:        "https://supabase.com/docs/guides/database/webhooks",
		SignedID:    false,
		Timestamped: false,
		IDsReusable: false, // random UUIDs, unless the project chooses its own
	}
}

// Provider reads the webhook's deliveries.
type Provider struct{ provider.Endpoint }

// New returns the provider.
func New(s provider.Settings) (*Provider, error) {
	token, err := signature.NewToken(secretEnv, s.Secrets, signature.Bearer())
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxProfile, token.CheckHeader)}, nil
}

// change is what the trigger says about one row. The row itself holds what is
// nobody's business here, the password's hash among it, so only its id is read.
type change struct {
	Type   string `json:"type"`
	Schema string `json:"schema"`
	Table  string `json:"table"`
}

// Receive returns the deletion in a delivery, if it is one. A user who is only
// marked as deleted is an UPDATE. The body is all there is to recognise a repeat
// by, and nothing says when it happened.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.CheckHeader(h); err != nil {
		return event.Delivery{}, err
	}
	var c change
	id, err := payload.DecodeAround(body, "/old_record/id", &c)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID("", body)
	if c.Type != "DELETE" || c.Schema != "auth" || c.Table != "users" {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	return provider.One(p.Deletion(eventID, id)), nil
}
