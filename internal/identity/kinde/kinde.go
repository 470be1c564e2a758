// Package kinde reads the webhooks of Kinde, whose body is a signed token.
// https://docs.kinde.com/integrate/webhooks/about-webhooks
//
// It must not know what becomes of a deletion.
package kinde

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "kinde"
	issuerEnv = "KINDE_ISSUER_URL"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Kinde",
		SecretEnv:   issuerEnv,
		Docs:        "https://docs.kinde.com/integrate/webhooks/about-webhooks",
		SignedID:    true,
		Timestamped: false, // the token has no lifetime
		IDsReusable: false,
	}
}

// Provider reads Kinde's deliveries.
type Provider struct {
	provider.Endpoint

	token *signature.JWT
}

// New returns the provider. Secrets are issuers, "https://example.kinde.com".
func New(s provider.Settings) (*Provider, error) {
	token, err := signature.NewIssuerJWT(issuerEnv, s.Secrets, signature.JWKS{
		// Kinde's own decoder asks the first, its documentation names the second.
		Paths:      []string{"/.well-known/jwks.json", "/.well-known/jwks"},
		Algorithms: []string{"RS256"},
		MaxToken:   signature.MaxBodyToken,
		Now:        s.Clock(),
		Transport:  s.Transport,
	})
	if err != nil {
		return nil, err
	}
	return &Provider{provider.NewEndpoint(name, s, provider.MaxEvent, checkHeader), token}, nil
}

// checkHeader has nothing to check: all that authenticates is the body. Kinde has
// changed its Content-Type before, and a gateway may set another.
func checkHeader(http.Header) error { return nil }

// Acknowledge answers 200: Kinde repeats what was answered otherwise.
func (p *Provider) Acknowledge(event.Receipt) (status int, body []byte) { return http.StatusOK, nil }

// claims are those of an event. The header webhook-id is not signed and not read.
type claims struct {
	Type           string         `json:"type"`
	EventID        string         `json:"event_id"`
	EventTimestamp jsontext.Value `json:"event_timestamp"` // in newer documentation
	Timestamp      jsontext.Value `json:"timestamp"`
	Data           jsontext.Value `json:"data"`

	// What access and ID tokens have and events have not.
	Subject         jsontext.Value `json:"sub"`
	Audience        jsontext.Value `json:"aud"`
	AuthorizedParty jsontext.Value `json:"azp"`
	Scope           jsontext.Value `json:"scp"`
}

// data is that of a user's deletion.
type data struct {
	User struct{} `json:"user"`
}

// isEvent says whether a genuine token is an event. The same keys sign the
// tokens of users, and every user has one (RFC 8725 section 2.8).
func (c claims) isEvent(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/") // RFC 7515 section 4.1.9
	ofUser := c.Subject != nil || c.Audience != nil || c.AuthorizedParty != nil || c.Scope != nil || typ == "at+jwt"
	return !ofUser && c.Type != "" && c.EventID != "" && len(c.Data) > 0 && c.Data.Kind() != jsontext.KindNull
}

// CheckKeys reports why the keys that verify deliveries cannot be fetched.
func (p *Provider) CheckKeys() error { return p.token.CheckKeys() }

// Receive returns the deletion in a delivery, if it is one. White space around
// the token is no part of it.
func (p *Provider) Receive(_ http.Header, body []byte) (event.Delivery, error) {
	token, err := p.token.Verify(strings.Trim(string(body), " \t\r\n"))
	if err != nil {
		return event.Delivery{}, err
	}
	var c claims
	id, err := payload.DecodeAround(token.Claims, "/data/user/id", &c)
	if err != nil {
		return event.Delivery{}, err
	}
	if !c.isEvent(token.Type) {
		return event.Delivery{}, fault.New(fault.Unauthenticated, fault.ReasonBadToken, "the token is genuine but no event")
	}
	eventID := payload.EventID(c.EventID, token.Claims)
	if c.Type != "user.deleted" {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	if err := payload.Member(c.Data, new(data)); err != nil {
		return event.Delivery{}, err
	}
	return provider.One(p.Deletion(eventID, id, c.EventTimestamp, c.Timestamp)), nil
}
