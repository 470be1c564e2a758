// Package console is the operator's view in a browser: River's own console
// behind a password, cut down to what cannot do harm.
//
// It lets through only the requests it knows. Those that read go to River's
// console on a handle that can only read; those that change something go to
// the queue's Operator, so that they obey its rules, are logged and stand on
// the deletion. It must not know Polar, identity providers or settings.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"riverqueue.com/riverui"
	"riverqueue.com/riverui/uiendpoints"
)

// Prefix is the path that the handler expects to be at.
const Prefix = "/ui"

// Operator acts on deletions. Of several it changes all or none.
type Operator interface {
	RetryWaiting(ctx context.Context, ids []int64) error
	CancelUnfinished(ctx context.Context, ids []int64, reason string) error
	Pause(ctx context.Context) (changed bool, err error)
	Resume(ctx context.Context) (changed bool, err error)
}

// Options for New.
type Options struct {
	// Endpoints are those of River's console, over a client that only reads.
	Endpoints uiendpoints.Bundle
	Operator  Operator
	// Password returns the current one; while it is "" nobody gets in.
	Password func() string
	// Key is a secret that all replicas have in common: whoever has signed in at
	// one of them counts as signed in at all.
	Key    []byte
	Logger *zap.Logger
}

// New returns the handler. Its River handler is not started: that would count
// the whole table now and then, and without it every request counts as far as
// a bound.
func New(o Options) (http.Handler, error) {
	core := o.Logger.Named("console").WithOptions(zap.IncreaseLevel(zap.WarnLevel)).Core()
	view, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: o.Endpoints, Prefix: Prefix, Logger: slog.New(zapslog.NewHandler(core, zapslog.WithName("console"))),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the console: %w", err)
	}
	inside := http.NewCrossOriginProtection().Handler(newGate(o.Password, o.Key, o.Logger).protect(routes(view, o)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		restrict(w.Header())
		inside.ServeHTTP(w, r)
	}), nil
}

// restrict keeps answers out of frames, search engines and caches, and lets
// the page load nothing from elsewhere. River's console styles elements inline.
func restrict(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}
