package handlers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/semaphore"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
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
		handler, methods := webhook(p, o, bodies), []string{http.MethodPost}
		if p.Challenge != nil {
			handler, methods = withChallenge(p, handler), []string{http.MethodGet, http.MethodPost}
		}
		for _, path := range []string{"/webhooks/" + p.Name, "/webhooks/" + p.Name + "/"} { // the latter is often entered by mistake
			route(e, path, handler, methods...)
			if p.Challenge == nil {
				e.GET(path, visit(p))
				e.HEAD(path, visit(p))
			}
		}
	}
	route(e, "/livez", unobserved(livez), http.MethodGet, http.MethodHead)
	return e
}

// NewAdmin returns the admin listener's handler.
func NewAdmin(o AdminOptions) http.Handler {
	e := newEcho(ipExtractor(o.TrustedProxies))
	e.Use(requestID, secureHeaders, recoverPanics(o.Logger))

	std, err := zap.NewStdLogAt(o.Logger, zapcore.ErrorLevel)
	if err != nil { // Only for a level that does not exist.
		std = zap.NewStdLog(o.Logger)
	}
	route(e, "/metrics", echo.WrapHandler(metrics.Handler(o.Gatherer, std)), http.MethodGet, http.MethodHead)
	route(e, "/livez", livez, http.MethodGet, http.MethodHead)
	route(e, "/readyz", readyz(o.Ready), http.MethodGet, http.MethodHead)
	route(e, "/healthz", readyz(o.Ready), http.MethodGet, http.MethodHead)
	if o.Console != nil { // whatever the method: the console decides
		console := consoleRequests(o)
		e.Any("/ui", console)
		e.Any("/ui/*", console)
	}
	return e
}

// ProxyHeaders are what a proxy that ends TLS, or signs people in, says of a request.
func ProxyHeaders() []string { return []string{"X-Forwarded-Proto", "X-Forwarded-User", "Remote-User"} }

// consoleRequests hands requests to the console with what may be believed of them.
func consoleRequests(o AdminOptions) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request().Clone(c.Request().Context())
		if peer, ok := parseHop(r.RemoteAddr); !ok || !trusts(o.TrustedProxies, peer) {
			for _, name := range ProxyHeaders() {
				r.Header.Del(name)
			}
		}
		r.RemoteAddr = c.RealIP()
		o.Console.ServeHTTP(c.Response(), r)
		return nil
	}
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
	e.RouteNotFound(path, func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderAllow, strings.Join(methods, ", "))
		return fault.New(fault.MethodNotAllowed, "", "method is not allowed here")
	})
}

// livez says that the process answers, and nothing about what it depends on,
// which a restart would not repair.
func livez(c echo.Context) error { return c.String(http.StatusOK, "ok") }

// readyTimeout is how long the answer to a readiness probe may take.
const readyTimeout = 2 * time.Second

// readyz says whether webhooks may be sent here; with ?verbose also why not.
func readyz(ready func(ctx context.Context) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
		defer cancel()
		err := ready(ctx)
		if err == nil {
			return c.String(http.StatusOK, "ok")
		}
		if c.QueryParams().Has("verbose") {
			return c.String(http.StatusServiceUnavailable, "not ready: "+err.Error())
		}
		return c.String(http.StatusServiceUnavailable, "not ready")
	}
}
