package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"
)

// defaultBodyBudget is what all large bodies in flight may take together.
const defaultBodyBudget = 64 << 20

// New returns the public listener's handler. A provider that is not among the
// options has no route.
func New(o Options) http.Handler {
	if o.BodyBudget == 0 {
		o.BodyBudget = defaultBodyBudget
	}
	e := newEcho(ipExtractor(o.TrustedProxies))
	e.Use(requestID, secureHeaders, observe(newObserver(o)), recoverPanics(o.Logger))

	bodies := &bodies{unknown: newInFlight(maxUnknownBodies), budget: semaphore.NewWeighted(o.BodyBudget)}
	for _, p := range o.Providers {
		// One static route each: a route with a parameter would match what
		// only looks like a provider's path.
		handler, methods := withChallenge(p, webhook(p, o.Acceptor, bodies))
		route(e, "/webhooks/"+p.Name(), handler, methods...)
		route(e, "/webhooks/"+p.Name()+"/", handler, methods...) // often entered by mistake
	}
	route(e, "/livez", unobserved(livez()), http.MethodGet, http.MethodHead)
	return e
}

// NewAdmin returns the admin listener's handler.
func NewAdmin(o AdminOptions) http.Handler {
	e := newEcho(ipExtractor(nil))
	e.Use(requestID, secureHeaders, recoverPanics(o.Logger))

	route(e, "/metrics", echo.WrapHandler(exposition(o)), http.MethodGet, http.MethodHead)
	route(e, "/livez", livez(), http.MethodGet, http.MethodHead)
	route(e, "/readyz", readyz(o.Ready), http.MethodGet, http.MethodHead)
	route(e, "/healthz", readyz(o.Ready), http.MethodGet, http.MethodHead)
	if o.Console != nil { // whatever the method: the console decides
		console := echo.WrapHandler(o.Console)
		e.Any("/ui", console)
		e.Any("/ui/*", console)
	}
	return e
}

func newEcho(ip echo.IPExtractor) *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = handleError
	e.IPExtractor = ip
	return e
}

// route adds a path with all that may be done there. Echo would answer OPTIONS
// with 204 and knows only some methods; here any other one is refused.
func route(e *echo.Echo, path string, h echo.HandlerFunc, methods ...string) {
	for _, m := range methods {
		e.Add(m, path, h)
	}
	e.RouteNotFound(path, refuseMethod(strings.Join(methods, ", ")))
}
