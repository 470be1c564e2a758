package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
)

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	paths := []string{
		"/", "/webhooks", "/webhooks/", "/webhooks/auth0", "/webhooks/auth0-log", "/webhooks/cler", "/webhooks/clerk//",
		"/webhooks/clerk/x", "/webhooks/Clerk", "/Webhooks/clerk", "/webhooks/%63lerk", "/webhooks%2Fclerk",
		"/webhooks/clerk%2F", "//webhooks/clerk", "/webhooks//clerk", "/webhooks/./clerk", "/x/../webhooks/clerk",
		"/webhooks/clerk;a=b", "/webhooks/:provider", "/metrics", "/readyz", "/livez/", "/ui/",
	}
	for _, path := range paths {
		e := newEdge(t)
		e.more = []handlers.Provider{*fakeProvider("auth0-logs", nil)}
		got := send(t, e.serve(t), http.MethodPost, path, strings.NewReader(`{}`))
		require.Equal(t, 404, got.status, path)
		require.Equal(t, refusal("not_found"), got.body)
		require.Equal(t, map[string]int{"webhooks_total{not_found,none}": 1}, e.counted(t))
		line := e.line(t)
		require.Equal(t, "none", line["provider"])
		require.Equal(t, "not_found", line["outcome"])
	}
}

func TestASlashAtTheEndIsTheSameRoute(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	got := send(t, e.serve(t), http.MethodPost, "/webhooks/clerk/", strings.NewReader(`{}`))
	require.Equal(t, 202, got.status)
	require.Equal(t, "clerk", e.line(t)["provider"])
	got = send(t, e.serve(t), http.MethodPut, "/webhooks/clerk/", http.NoBody)
	require.Equal(t, 405, got.status)
	require.Equal(t, "POST", got.header.Get("Allow"))
}

func TestQueryDoesNotMatter(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	got := send(t, e.serve(t), http.MethodPost, "/webhooks/clerk?x=1", strings.NewReader(`{}`))
	require.Equal(t, 202, got.status)
}

func TestMethodsThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE", "BREW", "post"} {
		for path, allow := range map[string]string{"/webhooks/clerk": "POST", "/livez": "GET, HEAD"} {
			if path == "/livez" && (method == "GET" || method == "HEAD") {
				continue
			}
			e := newEdge(t)
			got := send(t, e.serve(t), method, path, http.NoBody)
			require.Equal(t, 405, got.status, "%s %s", method, path)
			require.Equal(t, allow, got.header.Get("Allow"))
			switch method {
			case http.MethodHead:
				require.Empty(t, got.body)
			case http.MethodGet:
				require.Equal(t, "This address takes webhooks of Clerk by POST: register it there. It has nothing to show.\n", got.body)
			default:
				require.Equal(t, refusal("not_found"), got.body)
			}
			if method == http.MethodGet || method == http.MethodHead {
				require.Equal(t, "text/plain; charset=UTF-8", got.header.Get("Content-Type"))
			}
			require.Equal(t, map[string]int{"webhooks_total{not_found,none}": 1}, e.counted(t))
			require.EqualValues(t, 405, e.line(t)["status"])
		}
	}
}

func TestOptionsForTheWholeServer(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "*", http.NoBody)
	w := serveOnce(e.handler(), r)
	require.Equal(t, 404, w.Code)
	require.Equal(t, map[string]int{"webhooks_total{not_found,none}": 1}, e.counted(t))
}

func TestLivezIsQuiet(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	got := send(t, e.serve(t), http.MethodGet, "/livez", http.NoBody)
	require.Equal(t, 200, got.status)
	require.Equal(t, "ok", got.body)
	require.Empty(t, e.lines())
	require.Empty(t, e.counted(t))
}

func TestEachProviderHasItsRoute(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.more = []handlers.Provider{*fakeProvider("auth0", delivers(one(), nil))}
	s := e.serve(t)
	for _, name := range []string{"clerk", "auth0"} {
		got := send(t, s, http.MethodPost, "/webhooks/"+name, strings.NewReader(`{}`))
		require.Equal(t, 202, got.status)
		require.Equal(t, 1, e.counted(t)[fmt.Sprintf("webhooks_total{accepted,%s}", name)])
	}
}
