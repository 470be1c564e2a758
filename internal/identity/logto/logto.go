// Package logto reads the webhooks of Logto.
// https://docs.logto.io/developers/webhooks
//
// It must not know what becomes of a deletion.
package logto

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/payload"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/sig"
)

const (
	name        = "logto"
	secretEnv   = "LOGTO_WEBHOOK_SECRET" //nolint:gosec // the variable's name
	header      = "Logto-Signature-Sha-256"
	userDeleted = "User.Deleted"

	// Where the id stands. What data holds depends on Logto's version: null,
	// the API's answer, or the user.
	idParam = "/params/userId"
	idData  = "/data/id"

	// testPath is what the console's test payload has for a path.
	// https://github.com/logto-io/logto/blob/master/packages/core/src/libraries/hook/utils.ts
	testPath = "/fake-path/:id"

	firstFailure = http.StatusBadRequest
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "Logto",
		SecretEnv:   secretEnv,
		Docs:        "https://docs.logto.io/developers/webhooks/secure-webhooks",
		SignedID:    true, // a digest of the signed body
		Timestamped: false,
		IDsReusable: false,
	}
}

// Provider reads Logto's deliveries.
type Provider struct {
	signature *sig.PlainHMAC
	now       func() time.Time
}

// New returns the provider.
func New(s provider.Settings) (*Provider, error) {
	signature, err := sig.NewPlainHMAC(secretEnv, s.Secrets, header)
	if err != nil {
		return nil, err
	}
	return &Provider{signature: signature, now: s.Clock()}, nil
}

// Name returns the route's name.
func (p *Provider) Name() string { return name }

// MaxBody returns the limit of a body in bytes.
func (p *Provider) MaxBody() int64 { return provider.MaxEvent }

// CheckHeader checks the signature's header for form.
func (p *Provider) CheckHeader(h http.Header) error { return p.signature.CheckHeader(h) }

// Acknowledge answers 200: Logto's documentation wants no other status.
// https://docs.logto.io/developers/webhooks/configure-webhooks
func (p *Provider) Acknowledge(event.Receipt) (status int, body []byte) { return http.StatusOK, nil }

type envelope struct {
	Event     string         `json:"event"`
	Path      string         `json:"path"`
	Status    int            `json:"status"` // of the API call that deleted
	CreatedAt jsontext.Value `json:"createdAt"`
	Data      jsontext.Value `json:"data"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.signature.Verify(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	at := whereID(body)
	id, err := payload.DecodeAround(body, at, &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID("", body)
	switch {
	case e.Event != userDeleted || e.Status >= firstFailure:
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	case e.Path == testPath:
		return provider.Ignored(eventID, event.IgnoreTestEvent), nil
	}
	received := p.now().UTC()
	d := id.Into(event.Deletion{
		Provider:   name,
		EventID:    eventID,
		UserID:     id.Usable(),
		OccurredAt: payload.Occurred(e.CreatedAt, received),
		ReceivedAt: received,
	})
	if at == idParam && e.contradicts(d.ExternalID) {
		d.ExternalID, d.UserID, d.UnusableID = "", "", id.Unusable()
	}
	return provider.One(d), nil
}

// whereID is the path's parameter unless only the deleted user has an id. What
// cannot be read is reported when the whole body is.
func whereID(body []byte) jsontext.Pointer {
	param, _, err := payload.Cut(body, idParam)
	if err == nil && payload.NewID(param).Absent() {
		if data, _, err := payload.Cut(body, idData); err == nil && len(data) > 0 {
			return idData
		}
	}
	return idParam
}

// contradicts says whether the deleted user is another than the path names. A
// human has to see what that is.
func (e envelope) contradicts(id string) bool {
	if e.Data.Kind() != jsontext.KindBeginObject {
		return false
	}
	raw, _, err := payload.Cut(e.Data, "/id")
	return err == nil && id != "" && payload.Text(raw) != "" && payload.Text(raw) != id
}
