// Package zitadel reads the event executions of ZITADEL's Actions v2.
// https://zitadel.com/docs/guides/integrate/actions/usage
//
// It must not know what becomes of a deletion.
package zitadel

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	name      = "zitadel"
	secretEnv = "ZITADEL_WEBHOOK_SECRET" //nolint:gosec // the variable's name

	// userRemoved is the event's name in ZITADEL's source, and on the wire. Other
	// versions may have another, so the names can be set.
	// https://github.com/zitadel/zitadel/blob/main/internal/repository/user/user.go
	userRemoved = "user.removed"
)

// About returns what operators are told about this provider.
func About() provider.Info {
	return provider.Info{
		Name:        name,
		Title:       "ZITADEL Actions v2",
		SecretEnv:   secretEnv,
		Docs:        "https://zitadel.com/docs/guides/integrate/actions/usage",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: true, // who creates a user through the API may choose its id
	}
}

// form is that of ZITADEL's own signer, whose validator has the same tolerance
// but accepts any time in the future.
// https://github.com/zitadel/zitadel/blob/main/pkg/actions/signing.go
func form() signature.TimedForm {
	return signature.TimedForm{
		Header: "Zitadel-Signature", Separator: ",", Unit: time.Second, Tolerance: 300 * time.Second,
	}
}

// Provider reads ZITADEL's deliveries.
type Provider struct {
	provider.Endpoint

	signature *signature.TimedHMAC
	types     []string
}

// New returns the provider. EventTypes are the names of deletions, by default
// user.removed.
func New(s provider.Settings) (*Provider, error) {
	verifier, err := signature.NewTimedHMAC(secretEnv, s.Secrets, s.Clock(), form())
	if err != nil {
		return nil, err
	}
	common := provider.NewEndpoint(name, s, provider.MaxEvent, verifier.CheckHeader)
	return &Provider{common, verifier, s.EventTypesOr(userRemoved)}, nil
}

// envelope leaves userID out: that is who deleted, not who was deleted.
type envelope struct {
	AggregateType string         `json:"aggregateType"`
	InstanceID    jsontext.Value `json:"instanceID"`
	Sequence      jsontext.Value `json:"sequence"`
	EventType     string         `json:"event_type"`
	CreatedAt     jsontext.Value `json:"created_at"`
}

// Receive returns the deletion in a delivery, if it is one.
func (p *Provider) Receive(h http.Header, body []byte) (event.Delivery, error) {
	if err := p.signature.Verify(h, body); err != nil {
		return event.Delivery{}, err
	}
	var e envelope
	id, err := payload.DecodeAround(body, "/aggregateID", &e)
	if err != nil {
		return event.Delivery{}, err
	}
	eventID := payload.EventID(e.key(id), body)
	// Organizations and projects are aggregates as well.
	if e.AggregateType != "user" || !slices.Contains(p.types, e.EventType) {
		return provider.Ignored(eventID, event.IgnoreOtherType), nil
	}
	return provider.One(p.Deletion(eventID, id, e.CreatedAt)), nil
}

// key names the event as ZITADEL's event store does. It is empty when a part is
// missing, because then it would name others too.
func (e envelope) key(id payload.ID) string {
	instance, aggregate := payload.Text(e.InstanceID), id.Usable()
	if instance == "" || aggregate == "" || e.Sequence.Kind() != jsontext.KindNumber {
		return ""
	}
	return instance + "/" + aggregate + "/" + string(e.Sequence)
}
