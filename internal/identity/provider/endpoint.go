package provider

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// Endpoint is the part of a provider that all of them have in common. Embed it
// and add Receive.
type Endpoint struct {
	name        string
	maxBody     int64
	checkHeader func(http.Header) error
	now         func() time.Time
	sources     []string
}

// NewEndpoint returns the common part of a provider whose bodies have at most
// maxBody bytes. checkHeader judges what can be judged before the body is read.
func NewEndpoint(name string, s Settings, maxBody int64, checkHeader func(http.Header) error) Endpoint {
	return Endpoint{name: name, maxBody: maxBody, checkHeader: checkHeader, now: s.Clock(), sources: s.Sources}
}

// Name returns the route's name.
func (e Endpoint) Name() string { return e.name }

// MaxBody returns the limit of a body in bytes.
func (e Endpoint) MaxBody() int64 { return e.maxBody }

// CheckHeader judges what can be judged before the body is read.
func (e Endpoint) CheckHeader(h http.Header) error { return e.checkHeader(h) }

// Elsewhere says whether a source is none of those whose events count.
func (e Endpoint) Elsewhere(source string) bool {
	return len(e.sources) > 0 && !slices.Contains(e.sources, source)
}

// At says which instance or tenant a deletion comes from.
func At(d event.Deletion, instance string) event.Deletion {
	if instance != "" {
		d.Instance = payload.EventID(instance, nil) // storable, whatever it is
	}
	return d
}

// Deletion returns the deletion of the user with the id, which arrives now. The
// id is Polar's external id as well. occurred are the members in which the
// provider says when it happened; a nil one is absent.
func (e Endpoint) Deletion(eventID string, id payload.ID, occurred ...jsontext.Value) event.Deletion {
	received := e.now().UTC()
	return id.Into(event.Deletion{
		Provider:   e.name,
		EventID:    eventID,
		UserID:     id.Usable(),
		OccurredAt: payload.Occurred(received, occurred...),
		ReceivedAt: received,
	})
}
