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
	"github.com/polar-bridge/polar-bridge/metrics"
)

// Provider is one identity provider's side of its route.
type Provider interface {
	// Name is the route's last segment and the metric label.
	Name() string
	// MaxBody is the largest body that is read, in bytes. It is over 64 KiB only
	// when CheckHeader authenticates the sender.
	MaxBody() int64
	// CheckHeader refuses what can be refused before the body is read.
	CheckHeader(h http.Header) error
	// Receive authenticates the raw body and only then decodes it. Its result
	// must not keep the body.
	Receive(h http.Header, body []byte) (deletion.Delivery, error)
}

// Acknowledger is a Provider that demands another answer than ours to what was
// stored, repeated or ignored.
type Acknowledger interface {
	// Acknowledge returns a 2xx status and a JSON body, which may be empty.
	Acknowledge(r deletion.Receipt) (status int, body []byte)
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
	// Providers are those with a route; their names differ.
	Providers []Provider
	// Acceptor stores what they receive.
	Acceptor Acceptor
	// Metrics count every request.
	Metrics *metrics.Metrics
	// Logger gets one line for every request.
	Logger *zap.Logger
	// Now is the clock.
	Now func() time.Time
	// TrustedProxies are believed in what X-Forwarded-For says; nobody is
	// when it is empty.
	TrustedProxies []netip.Prefix
	// BodyBudget bounds the bytes of all bodies over 64 KiB that are in flight
	// together; 0 means 64 MiB.
	BodyBudget int64
}
