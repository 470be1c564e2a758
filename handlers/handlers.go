// Package handlers is the HTTP edge: it takes webhooks, lets their provider
// authenticate and decode them, has their deletions stored durably and only
// then answers 2xx. It also serves the operator's endpoints.
//
// It must not know any provider's format, how deletions are stored, or Polar.
// Echo stays inside of this package: callers see an http.Handler.
package handlers

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// Provider is one identity provider's route.
type Provider struct {
	Name  string // the route's last segment and the metric label
	Title string // the name for people
	// MaxBody is the largest body that is read, in bytes. It is over 64 KiB only
	// when CheckHeader authenticates the sender.
	MaxBody int64
	// CheckHeader refuses what can be refused before the body is read.
	CheckHeader func(h http.Header) error
	// Receive authenticates the raw body and only then decodes it. Its result
	// must not keep the body.
	Receive func(h http.Header, body []byte) (deletion.Delivery, error)
	// AcknowledgeEmpty says that the provider demands 200 and no body for an
	// answer to what was stored, repeated or ignored.
	AcknowledgeEmpty bool
	// Challenge returns the JSON body that answers the GET with which the provider
	// asks, before it sends anything, whether the route is its receiver's; nil for
	// a provider that never asks. Its errors are of kind fault.Unauthenticated or
	// fault.Malformed.
	Challenge func(h http.Header) (body []byte, err error)
}

// Acceptor stores deletions.
type Acceptor interface {
	// Accept returns nil when all of them are durable. It gives up within 2 s
	// when the database does not take them, because some providers give up
	// after 3 s and never repeat, and at the latest when ctx ends.
	Accept(ctx context.Context, d []deletion.Deletion) (deletion.Receipt, error)
}

// Options configure the public listener's handler.
type Options struct {
	Providers []Provider       // those with a route; their names differ
	Acceptor  Acceptor         // stores what they receive
	Metrics   *metrics.Metrics // counts every request
	Logger    *zap.Logger      // gets one line for every request
	// Tracer makes a span of every authentic request.
	Tracer *tracing.Tracer
	// Now is the clock.
	Now func() time.Time
	// TrustedProxies are believed in what X-Forwarded-For says; nobody is
	// when it is empty.
	TrustedProxies []netip.Prefix
	// BodyBudget bounds the bytes of all bodies over 64 KiB that are in flight
	// together; 0 means 64 MiB.
	BodyBudget int64
}

// AdminOptions configure the admin listener's handler.
type AdminOptions struct {
	Gatherer metrics.Gatherer // has what /metrics shows
	// Ready says why webhooks should not be sent here; nil when they may be.
	// It gives up when ctx ends.
	Ready func(ctx context.Context) error
	// Console is what is under /ui, nil for nothing. It authenticates and
	// protects itself. Its requests have the sender's address, and ProxyHeaders
	// only from a trusted proxy.
	Console http.Handler
	// TrustedProxies are believed about where a request came from, and by whom.
	TrustedProxies []netip.Prefix
	Logger         *zap.Logger // gets what goes wrong here
}
