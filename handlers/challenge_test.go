package handlers_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// challengingEdge has a provider that asks who is there, and one that does not.
func challengingEdge(t *testing.T, err error) *edge {
	t.Helper()
	e := newEdge(t)
	e.provider.Receive = func(http.Header, []byte) (d deletion.Delivery, err error) {
		t.Error("a challenge is not a webhook")
		return d, err
	}
	e.provider.Challenge = func(h http.Header) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return []byte(`{"verification":"` + h.Get("X-Challenge") + `"}`), checkToken(h)
	}
	e.more = []handlers.Provider{*fakeProvider("auth0", delivers(one(), nil))}
	return e
}

func TestAChallengeIsAnswered(t *testing.T) {
	t.Parallel()
	e := challengingEdge(t, nil)
	got := send(t, e.serve(t), http.MethodGet, "/webhooks/clerk?x=1", strings.NewReader("no one reads this"), header("X-Challenge", "abc"))
	require.Equal(t, 200, got.status)
	require.JSONEq(t, `{"verification":"abc"}`, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, map[string]int{"webhooks_total{ignored,clerk}": 1, "webhook_duration_seconds{clerk}": 1}, e.counted(t))
	line := e.line(t)
	require.Equal(t, "challenge", line["reason"])
	require.Equal(t, "ignored", line["outcome"])
	require.EqualValues(t, 0, line["events"])
	require.NotContains(t, line, "event_id")
}

func TestAChallengeThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{fault.New(fault.Unauthenticated, fault.ReasonBadToken, "wrong"), 401, "unauthenticated"},
		{fault.New(fault.Malformed, fault.ReasonBadHeader, "odd"), 400, "malformed"},
		{errors.New("unclassified"), 500, "error"},
	} {
		e := challengingEdge(t, tt.err)
		got := send(t, e.serve(t), http.MethodGet, "/webhooks/clerk", http.NoBody, header("X-Challenge", "abc"))
		require.Equal(t, tt.status, got.status)
		require.Equal(t, refusal(tt.code), got.body, "the value does not come back")
		require.Equal(t, 1, e.counted(t)["webhooks_total{"+tt.code+",clerk}"])
	}
}

func TestOnlyAGETOnTheChallengersOwnRouteIsAChallenge(t *testing.T) {
	t.Parallel()
	for path, allow := range map[string]string{"/webhooks/clerk": "GET, POST", "/webhooks/auth0": "POST"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "get"} {
			if method == http.MethodGet && path == "/webhooks/clerk" {
				continue
			}
			e := challengingEdge(t, nil)
			got := send(t, e.serve(t), method, path, http.NoBody, header("X-Challenge", "abc"))
			require.Equal(t, 405, got.status, "%s %s", method, path)
			require.Equal(t, allow, got.header.Get("Allow"))
			require.NotContains(t, got.body, "abc")
		}
	}
	e := challengingEdge(t, nil)
	e.provider.Receive = delivers(one(), nil)
	require.Equal(t, 202, post(t, e.serve(t), header("X-Challenge", "abc")).status, "a webhook stays a webhook")
}
