package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type fusionAuthSettings struct {
	WebhookKey *config.SecretSource `kong:"-" secret:"FUSIONAUTH_WEBHOOK_KEY" help:"Enables /webhooks/fusionauth, for webhooks signed with HMAC."`
	JWKSURL    string               `name:"fusionauth-jwks-url" env:"FUSIONAUTH_JWKS_URL" type:"setting" placeholder:"URL" help:"Take FusionAuth's webhooks, signed with the keys of this address, such as https://auth.example.com/.well-known/jwks.json: https, or http on loopback. Not with an HMAC key."`
}

// fusionAuthJWKS is the setting with the address of the public keys.
const fusionAuthJWKS = "FUSIONAUTH_JWKS_URL"

// fusionAuth reads the webhooks of FusionAuth, which sends a signed token with the
// digest of the body.
// https://fusionauth.io/docs/extend/events-and-webhooks/signing
func fusionAuth(o Options) *Spec {
	s := &fusionAuthSettings{}
	scheme := fusionAuthScheme{
		JWT: signature.NewHMACJWT(signature.MaxHeaderToken),
		published: signature.NewIssuerJWT(signature.JWKS{
			Paths:      []string{""},
			Algorithms: []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"},
			MaxToken:   signature.MaxHeaderToken,
			Now:        o.Now,
			Transport:  o.Transport,
		}),
	}
	return &Spec{
		Name:        "fusionauth",
		Title:       "FusionAuth",
		Docs:        "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
		EnabledBy:   "FUSIONAUTH_WEBHOOK_KEY",
		SignedID:    true, // the token has no lifetime
		IDsReusable: true, // its API lets the caller choose a new user's id
		IDForm:      always(formUUID),

		Settings:    s,
		Secret:      &s.WebhookKey,
		SplitSecret: config.Lines,
		Check:       s.check,
		KeysURLEnv:  fusionAuthJWKS,
		KeysURL:     func() string { return s.JWKSURL },
		Published:   scheme.published,

		Scheme:  scheme,
		MaxBody: MaxProfile,
		Read:    readFusionAuth,
		Event:   fusionAuthEvent,
	}
}

func (s *fusionAuthSettings) check(l *config.Loader) {
	l.Require(s.JWKSURL == "" || !s.WebhookKey.IsSet(), fusionAuthJWKS, "and FUSIONAUTH_WEBHOOK_KEY are both set; FusionAuth signs a webhook with one key only")
}

// fusionAuthScheme is a token about the body, signed with an HMAC key or with keys
// that FusionAuth publishes.
type fusionAuthScheme struct {
	*signature.JWT

	published *signature.JWT
}

const fusionAuthHeader = "X-FusionAuth-Signature-JWT"

// inForce returns the verifier with keys. Nobody sets keys of both kinds.
func (s fusionAuthScheme) inForce() *signature.JWT {
	if s.published.HasKeys() {
		return s.published
	}
	return s.JWT
}

// HasKeys implements Scheme.
func (s fusionAuthScheme) HasKeys() bool { return s.inForce().HasKeys() }

// CheckHeader implements Scheme.
func (s fusionAuthScheme) CheckHeader(h http.Header) error {
	_, err := s.digest(h)
	return err
}

// Verify requires a token by FusionAuth that is about this very body.
func (s fusionAuthScheme) Verify(h http.Header, body []byte) (signature.Message, error) {
	digest, err := s.digest(h)
	if err != nil {
		return signature.Message{}, err
	}
	if subtle.ConstantTimeCompare([]byte(digest), []byte(fusionAuthDigest(body))) != 1 {
		return signature.Message{}, fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "the token is about another body")
	}
	return signature.Message{Payload: body}, nil
}

// Sign signs with an HMAC key or a private key: see signature.SignJWT.
func (s fusionAuthScheme) Sign(key, _ string, _ time.Time, body []byte) (http.Header, []byte, error) {
	token, err := signature.SignJWT(key, []byte(`{"request_body_sha256":"`+fusionAuthDigest(body)+`"}`))
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(fusionAuthHeader, token)
	return h, body, err
}

func fusionAuthDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// digest returns that of the body which FusionAuth's token is about. The key may
// sign the tokens of users as well, which say whose they are.
func (s fusionAuthScheme) digest(h http.Header) (string, error) {
	token, err := s.inForce().VerifyHeader(h, fusionAuthHeader)
	if err != nil {
		return "", err
	}
	var c struct {
		BodyDigest string         `json:"request_body_sha256"`
		Subject    jsontext.Value `json:"sub"`
		Audience   jsontext.Value `json:"aud"`
	}
	if payload.Decode(token.Payload, &c) != nil || c.BodyDigest == "" || c.Subject != nil || c.Audience != nil {
		return "", fault.New(fault.Unauthenticated, fault.ReasonBadToken, "the token is genuine but not about a body")
	}
	return c.BodyDigest, nil
}

// readFusionAuth leaves out what other types of events carry, and everything personal.
//
// user.delete comes before FusionAuth commits, and a deletion that fails then is
// announced again when it succeeds later; user.delete.complete comes after the
// commit, but not for every deletion. Nothing in them says which two belong
// together, so each event is a deletion by its own id: Polar does the second one
// of a user without effect, and none is taken for a repeat of another.
// See docs/adr/0007-fusionauth-events-by-their-ids.md.
func readFusionAuth(m Message) (deletion.Delivery, error) {
	var e struct {
		Event struct {
			Type          string         `json:"type"`
			ID            jsontext.Value `json:"id"`
			CreateInstant jsontext.Value `json:"createInstant"` // milliseconds
			User          jsontext.Value `json:"user"`
		} `json:"event"`
	}
	id, err := payload.DecodeAround(m.Payload, "/event/user/id", &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.Event.ID), m.Payload)
	if e.Event.Type != "user.delete" && e.Event.Type != "user.delete.complete" {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	if err := payload.Member(e.Event.User, &struct{}{}); err != nil {
		return deletion.Delivery{}, err
	}
	return only(m.deletion(eventID, id, e.Event.CreateInstant)), nil
}

// fusionAuthEvent is the event after the commit.
// https://fusionauth.io/docs/extend/events-and-webhooks/events/user-delete-complete
func fusionAuthEvent(s Sample) any {
	return map[string]any{"event": map[string]any{
		"createInstant": s.Time.UnixMilli(),
		"id":            s.EventID,
		"info":          map[string]any{},
		"tenantId":      "30663132-6464-6665-3032-326466613934",
		"type":          "user.delete.complete",
		"user":          map[string]any{"id": s.ExternalID, "active": true, "insertInstant": 1331449200000},
	}}
}
