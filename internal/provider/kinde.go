package provider

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// kindeIssuer is the setting with the issuer's address. It is no secret.
const kindeIssuer = "KINDE_ISSUER_URL"

// kinde reads the webhooks of Kinde, whose body is a signed token. Kinde signs with
// keys of its own, which it publishes.
// https://docs.kinde.com/integrate/webhooks/about-webhooks
func kinde(o Options) *Spec {
	s := &struct {
		IssuerURL string `name:"kinde-issuer-url" env:"KINDE_ISSUER_URL" type:"setting" placeholder:"URL" help:"Take Kinde's webhooks, signed with the keys of this address, such as https://example.kinde.com: https, or http on loopback."`
	}{}
	token := signature.BodyJWT{JWT: signature.NewIssuerJWT(signature.JWKS{
		// Kinde's own decoder asks the first, its documentation names the second.
		Paths:      []string{"/.well-known/jwks.json", "/.well-known/jwks"},
		Algorithms: []string{"RS256"},
		MaxToken:   signature.MaxBodyToken,
		Now:        o.Now,
		Transport:  o.Transport,
	})}
	return &Spec{
		Name:      "kinde",
		Title:     "Kinde",
		Docs:      "https://docs.kinde.com/integrate/webhooks/about-webhooks",
		EnabledBy: kindeIssuer,
		SignedID:  true, // the token has no lifetime
		IDForm:    always(`^kp_[0-9A-Za-z]+$`),

		Settings:   s,
		KeysURLEnv: kindeIssuer,
		KeysURL:    func() string { return s.IssuerURL },
		Published:  token.JWT,

		// Kinde has changed its Content-Type before, and a gateway may set another.
		Scheme:           token,
		Read:             readKinde,
		AcknowledgeEmpty: true, // Kinde repeats what was answered otherwise
		Event:            kindeEvent,
	}
}

// kindeClaims are those of an event. The header webhook-id is not signed and not read.
type kindeClaims struct {
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

// isEvent says whether a genuine token is an event. The same keys sign the
// tokens of users, and every user has one (RFC 8725 section 2.8).
func (c kindeClaims) isEvent(typ string) bool {
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/") // RFC 7515 section 4.1.9
	ofUser := c.Subject != nil || c.Audience != nil || c.AuthorizedParty != nil || c.Scope != nil || typ == "at+jwt"
	return !ofUser && c.Type != "" && c.EventID != "" && len(c.Data) > 0 && c.Data.Kind() != jsontext.KindNull
}

func readKinde(m Message) (deletion.Delivery, error) {
	var c kindeClaims
	id, err := payload.DecodeAround(m.Payload, "/data/user/id", &c)
	if err != nil {
		return deletion.Delivery{}, err
	}
	if !c.isEvent(m.Type) {
		return deletion.Delivery{}, fault.New(fault.Unauthenticated, fault.ReasonBadToken, "the token is genuine but no event")
	}
	eventID := payload.EventID(c.EventID, m.Payload)
	if c.Type != "user.deleted" {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	var data struct {
		User struct{} `json:"user"`
	}
	if err := payload.Member(c.Data, &data); err != nil {
		return deletion.Delivery{}, err
	}
	return only(m.deletion(eventID, id, c.EventTimestamp, c.Timestamp)), nil
}

func kindeEvent(s Sample) any {
	return map[string]any{
		"type":      "user.deleted",
		"event_id":  s.EventID,
		"source":    "admin",
		"timestamp": s.Time.UTC().Format(time.RFC3339Nano),
		"data":      map[string]any{"user": map[string]any{"id": s.ExternalID}},
	}
}
