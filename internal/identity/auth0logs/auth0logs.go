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
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/sig"
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
type Provider struct {
	token *sig.Token
	now   func() time.Time
}

// New returns the provider. The token is the whole Authorization value.
func New(s provider.Settings) (*Provider, error) {
	token, err := sig.NewToken(secretEnv, s.Secrets, sig.Verbatim())
	if err != nil {
		return nil, err
	}
	return &Provider{token: token, now: s.Clock()}, nil
}

// Name returns the route's name.
func (p *Provider) Name() string { return name }

// MaxBody returns the limit of a body in bytes.
func (p *Provider) MaxBody() int64 { return provider.MaxBatch }

// CheckHeader checks the token.
func (p *Provider) CheckHeader(h http.Header) error { return p.token.CheckHeader(h) }

// Receive returns the deletions in a delivery. A 2xx acknowledges the entire
// batch and anything else brings all of it back, for days and again, so every
// entry is judged alone: one that cannot be read must neither be lost with the
// answer nor keep the others from being carried out. A body that is broken as a
// whole is malformed.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.token.CheckHeader(h); err != nil {
		return event.Delivery{}, err
	}
	entries, err := split(body)
	if err != nil {
		return event.Delivery{}, err
	}
	b := batch{received: p.now().UTC()}
	for raw, err := range entries {
		if err != nil {
			return event.Delivery{}, err
		}
		if b.add(raw); b.unreadable > maxUnreadable {
			break
		}
	}
	return b.delivery()
}
