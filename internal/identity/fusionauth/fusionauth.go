// Package fusionauth reads the webhooks of FusionAuth, which sends a signed
// token with the digest of the body.
// https://fusionauth.io/docs/extend/events-and-webhooks/signing
//
// It must not know what becomes of a deletion.
package fusionauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name            = "fusionauth"
	secretEnv       = "FUSIONAUTH_WEBHOOK_KEY" //nolint:gosec // the variable's name
	jwksEnv         = "FUSIONAUTH_JWKS_URL"
	signatureHeader = "X-FusionAuth-Signature-JWT"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "FusionAuth",
		SecretEnv:   secretEnv,
		Docs:        "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
		SignedID:    true,
		Timestamped: false, // the token has no lifetime
		IDsReusable: true,  // its API lets the caller choose a new user's id
	}
}

// Provider reads FusionAuth's deliveries.
type Provider struct {
	provider.Endpoint

	token *signature.JWT
}

// New returns the provider. Secrets are HMAC keys or, with PublicKeys, addresses
// of key sets, "https://auth.example.com/.well-known/jwks.json".
func New(s provider.Settings) (*Provider, error) {
	token, err := newToken(s)
	if err != nil {
		return nil, err
	}
	p := &Provider{token: token}
	p.Endpoint = provider.NewEndpoint(name, s, provider.MaxProfile, func(h http.Header) error {
		_, err := p.digest(h)
		return err
	})
	return p, nil
}

func newToken(s provider.Settings) (*signature.JWT, error) {
	if !s.PublicKeys {
		return signature.NewHMACJWT(secretEnv, s.Secrets, signature.MaxHeaderToken)
	}
	return signature.NewIssuerJWT(jwksEnv, s.Secrets, signature.JWKS{
		Paths:      []string{""},
		Algorithms: []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"},
		MaxToken:   signature.MaxHeaderToken,
		Now:        s.Clock(),
		Transport:  s.Transport,
	})
}

// envelope leaves out what other types of events carry, and everything personal.
type envelope struct {
	Event struct {
		Type          string         `json:"type"`
		ID            jsontext.Value `json:"id"`
		CreateInstant jsontext.Value `json:"createInstant"` // milliseconds
		User          jsontext.Value `json:"user"`
	} `json:"event"`
}

// CheckKeys reports why the keys that verify deliveries cannot be fetched.
func (p *Provider) CheckKeys() error { return p.token.CheckKeys() }

// Receive returns the deletion in a delivery, if it is one.
//
// user.delete comes before FusionAuth commits, and a deletion that fails then is
// announced again when it succeeds later; user.delete.complete comes after the
// commit, but not for every deletion. Nothing in them says which two belong
// together, so each event is a deletion by its own id: Polar does the second one
// of a user in vain, and none is taken for a repeat of another.
// See docs/adr/0007-fusionauth-events-by-their-ids.md.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.authenticate(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, "/event/user/id", &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.Event.ID), body)
	if e.Event.Type != "user.delete" && e.Event.Type != "user.delete.complete" {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	if err := payload.Member(e.Event.User, &struct{}{}); err != nil {
		return event.Delivery{}, err
	}
	return provider.One(p.Deletion(eventID, id, e.Event.CreateInstant)), nil
}

// authenticate requires a token by FusionAuth that is about this very body.
func (p *Provider) authenticate(h http.Header, body []byte) error {
	digest, err := p.digest(h)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if want := base64.StdEncoding.EncodeToString(sum[:]); subtle.ConstantTimeCompare([]byte(digest), []byte(want)) != 1 {
		return fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "the token is about another body")
	}
	return nil
}

// digest returns that of the body which FusionAuth's token is about. The key may
// sign the tokens of users as well, which say whose they are.
func (p *Provider) digest(h http.Header) (string, error) {
	token, err := p.token.VerifyHeader(h, signatureHeader)
	if err != nil {
		return "", err
	}
	var c struct {
		BodyDigest string         `json:"request_body_sha256"`
		Subject    jsontext.Value `json:"sub"`
		Audience   jsontext.Value `json:"aud"`
	}
	if payload.Decode(token.Claims, &c) != nil || c.BodyDigest == "" || c.Subject != nil || c.Audience != nil {
		return "", fault.New(fault.Unauthenticated, fault.ReasonBadToken, "the token is genuine but not about a body")
	}
	return c.BodyDigest, nil
}
