package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestKindeTokensOfUsersAreNoEvents(t *testing.T) {
	t.Parallel()
	p := kinde(t)
	for name, changes := range map[string]map[string]any{
		"access token":             {"sub": "kp_1", "aud": []string{}, "azp": "a", "scp": []string{"openid"}, "event_id": nil, "data": nil},
		"token of a machine":       {"azp": "a"},
		"token with a scope":       {"scp": []string{}},
		"token with a subject":     {"sub": "kp_1"},
		"token with no subject":    {"sub": json.RawMessage("null")},
		"token with an audience":   {"aud": "api"},
		"no type":                  {"type": nil},
		"empty type":               {"type": ""},
		"no event id":              {"event_id": nil},
		"empty event id":           {"event_id": ""},
		"no data":                  {"data": nil},
		"data that is null":        {"data": json.RawMessage("null")},
		"names in another case":    {"type": nil, "Type": "user.deleted"},
		"event id in another case": {"event_id": nil, "Event_ID": "e"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := p.deliver(t, kindeClaims(t, changes))
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
		})
	}
}

func TestKindeTheEventIDIsTheClaim(t *testing.T) {
	t.Parallel()
	p := kinde(t)
	_, token, err := p.Scheme.Sign(p.secret, "", time.Now(), []byte(kindeClaims(t, nil)))
	require.NoError(t, err)
	d, err := p.Receive(http.Header{"Content-Type": {"application/jwt"}, "Webhook-Id": {"chosen by a proxy"}}, token)
	require.NoError(t, err)
	require.Equal(t, "event_1", d.EventID)
	require.Equal(t, "event_1", d.Deletions[0].EventID)
	require.Equal(t, "kp_1", d.Deletions[0].ExternalID)
	require.Equal(t, "kp_1", d.Deletions[0].UserID)
}

// Newer documentation has event_timestamp beside timestamp, which may be that of
// the message.
func TestKindeTheTimeIsThatOfTheEvent(t *testing.T) {
	t.Parallel()
	p := kinde(t)
	for _, changes := range []map[string]any{
		{"event_timestamp": "2026-08-01T19:30:00.5+10:00", "timestamp": "2026-11-01T09:30:00Z"},
		{"event_timestamp": "2026-08-01T19:30:00.5+10:00", "timestamp": nil},
		{"event_timestamp": "?", "timestamp": "2026-08-01T19:30:00.5+10:00"},
	} {
		d, err := p.deliver(t, kindeClaims(t, changes))
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 8, 1, 9, 30, 0, 500_000_000, time.UTC), d.Deletions[0].OccurredAt, "%v", changes)
	}
}

// Kinde changed it once, from application/json, and it proves nothing.
func TestKindeTheContentTypeDoesNotMatter(t *testing.T) {
	t.Parallel()
	p := kinde(t)
	_, token, err := p.Scheme.Sign(p.secret, "", time.Now(), []byte(kindeClaims(t, nil)))
	require.NoError(t, err)
	for _, types := range [][]string{nil, {"application/jwt"}, {"application/json"}, {"text/plain"}, {""}, {";"}, {"application/jwt", "text/plain"}} {
		header := http.Header{"Content-Type": types}
		require.NoError(t, p.Scheme.CheckHeader(header))
		require.Equal(t, "kp_1", mustReceive(t, p.Spec, header, token).Deletions[0].ExternalID, "%q", types)
	}
}

func TestKindeSampleNeedsAPrivateKey(t *testing.T) {
	t.Parallel()
	private, _, err := signature.NewSigningKey()
	require.NoError(t, err)
	for _, key := range []string{"", "0123456789abcdef", kindeIssuer, strings.Replace(private, "PRIVATE KEY", "PUBLIC KEY", 2), private[:100]} {
		_, _, err := kinde(t).Sample(key, provider.Sample{ExternalID: "a", EventID: "e", Time: time.Now()})
		require.Error(t, err)
	}
}

func TestKindeAnIssuerThatIsAwayIsNotTheSendersFault(t *testing.T) {
	t.Parallel()
	p := kinde(t)
	_, token, err := p.Scheme.Sign(p.secret, "", time.Now(), []byte(kindeClaims(t, nil)))
	require.NoError(t, err)
	away := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errAway })
	lonely := enabledWith(t, provider.Options{Transport: away}, "kinde", "KINDE_ISSUER_URL", kindeIssuer)
	_, err = lonely.Receive(http.Header{"Content-Type": {"application/jwt"}}, token)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, fault.ReasonKeys, fault.ReasonOf(err))
	require.ErrorIs(t, err, errAway)
	require.NotContains(t, err.Error(), "kinde.com")
}

// kindeClaims returns those of an event with changes; a nil value takes one away.
func kindeClaims(t *testing.T, changes map[string]any) string {
	t.Helper()
	all := map[string]any{
		"type": "user.deleted", "event_id": "event_1", "timestamp": "2026-11-23T12:00:00Z",
		"data": map[string]any{"user": map[string]any{"id": "kp_1"}},
	}
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	encoded, err := json.Marshal(all)
	require.NoError(t, err)
	return string(encoded)
}

const kindeIssuer = "https://shop.kinde.com"

// kinde is signed for with the private half of the key that the issuer publishes.
func kinde(t *testing.T) *sender {
	t.Helper()
	private, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	s := enabledWith(t, provider.Options{Transport: publishes(keys)}, "kinde", "KINDE_ISSUER_URL", kindeIssuer)
	s.secret = private
	return s
}

// publishes answers every request with the key set.
func publishes(keys []byte) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(keys)), Request: r}, nil
	})
}

func mustReceive(t *testing.T, p *provider.Spec, header http.Header, body []byte) deletion.Delivery {
	t.Helper()
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	return d
}

var errAway = errors.New("away")

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
