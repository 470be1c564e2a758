// Package auth0logs reads the webhooks of Auth0 Log Streams: batches of log
// entries, a few of which say that a user was deleted. They carry a static
// token and no signature. Event Streams are to be preferred: Auth0's schema
// does not promise that the user_id of such an entry is the deleted user's.
// https://auth0.com/docs/customize/log-streams/custom-log-streams
//
// It must not know what becomes of a deletion.
package auth0logs

import (
	"net/http"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "auth0-logs"
	secretEnv = "AUTH0_LOGS_TOKEN" //nolint:gosec // the variable's name
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Auth0 Log Streams",
		SecretEnv:   secretEnv,
		Docs:        "https://auth0.com/docs/customize/log-streams/custom-log-streams",
		SignedID:    false,
		Timestamped: false,
		IDsReusable: true, // imported and custom-database ids are the tenant's choice
	}
}

// Provider reads the deliveries of a log stream.
type Provider struct{ provider.Endpoint }

// New returns the provider. The token is the whole Authorization value.
func New(s provider.Settings) (*Provider, error) {
	token, err := signature.NewToken(secretEnv, s.Secrets, signature.Verbatim())
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxBatch, token.CheckHeader)}, nil
}

// Receive returns the deletions in a delivery. A 2xx acknowledges the entire
// batch and anything else brings all of it back, for days and again, so every
// entry is judged alone: one that cannot be read must neither be lost with the
// answer nor keep the others from being carried out. A body that is broken as a
// whole is malformed.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.CheckHeader(h); err != nil {
		return event.Delivery{}, err
	}
	entries, err := split(body)
	if err != nil {
		return event.Delivery{}, err
	}
	b, readable := p.NewBatch(), false
	for raw, err := range entries {
		if err != nil {
			return event.Delivery{}, err
		}
		isEntry, err := p.add(b, raw)
		if err != nil {
			return event.Delivery{}, err
		}
		readable = readable || isEntry
	}
	if !readable && b.AnyUnreadable() {
		return event.Delivery{}, b.Broken()
	}
	return b.Delivery(""), nil
}
