package kinde_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/kinde"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

var (
	_ handlers.Provider     = (*kinde.Provider)(nil)
	_ handlers.Acknowledger = (*kinde.Provider)(nil)
)

func TestKinde(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness(t))
}

// The tokens are npm jose's, see scripts/golden/jose.mjs, and so is the key set.
func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	set, err := os.ReadFile("testdata/jwks.json")
	require.NoError(t, err)
	h := harness(t)
	h.New = (&issuers{sets: map[string][]byte{"golden.kinde.com": set}}).open
	h.Golden = []string{"https://golden.kinde.com"}
	providertest.Golden(t, h, "testdata")
}

func FuzzReceive(f *testing.F)  { providertest.Fuzz(f, harness(f)) }
func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness(f)) }

func TestTokensOfUsersAreNoEvents(t *testing.T) {
	t.Parallel()
	all := newIssuers(t)
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
			_, err := receive(t, all, claims(t, changes))
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
		})
	}
}

func TestTheEventIDIsTheClaim(t *testing.T) {
	t.Parallel()
	all := newIssuers(t)
	p, err := all.open(provider.Settings{Secrets: func() []string { return []string{issuer} }})
	require.NoError(t, err)
	token, err := all.sign(issuer, claims(t, nil))
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
func TestTheTimeIsThatOfTheEvent(t *testing.T) {
	t.Parallel()
	all := newIssuers(t)
	for _, changes := range []map[string]any{
		{"event_timestamp": "2026-08-01T19:30:00.5+10:00", "timestamp": "2026-11-01T09:30:00Z"},
		{"event_timestamp": "2026-08-01T19:30:00.5+10:00", "timestamp": nil},
		{"event_timestamp": "?", "timestamp": "2026-08-01T19:30:00.5+10:00"},
	} {
		d, err := receive(t, all, claims(t, changes))
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 8, 1, 9, 30, 0, 500_000_000, time.UTC), d.Deletions[0].OccurredAt, "%v", changes)
	}
}

// Kinde changed it once, from application/json, and it proves nothing.
func TestTheContentTypeDoesNotMatter(t *testing.T) {
	t.Parallel()
	all := newIssuers(t)
	p, err := all.open(provider.Settings{Secrets: func() []string { return []string{issuer} }})
	require.NoError(t, err)
	token, err := all.sign(issuer, claims(t, nil))
	require.NoError(t, err)
	for _, types := range [][]string{nil, {"application/jwt"}, {"application/json"}, {"text/plain"}, {""}, {";"}, {"application/jwt", "text/plain"}} {
		header := http.Header{"Content-Type": types}
		require.NoError(t, p.CheckHeader(header))
		require.Equal(t, "kp_1", providertest.Only(t, p, header, token).ExternalID, "%q", types)
	}
}

func TestAcknowledgesWith200(t *testing.T) {
	t.Parallel()
	for _, r := range []event.Receipt{{}, {Accepted: 1}, {Duplicates: 1}} {
		status, body := (*kinde.Provider)(nil).Acknowledge(r)
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, body)
	}
}

func TestSampleNeedsAPrivateKey(t *testing.T) {
	t.Parallel()
	private, _, err := signature.NewSigningKey()
	require.NoError(t, err)
	for _, key := range []string{"", "0123456789abcdef", issuer, strings.Replace(private, "PRIVATE KEY", "PUBLIC KEY", 2), private[:100]} {
		_, _, err := kinde.Sample(key, provider.Sample{ExternalID: "a", EventID: "e", Time: time.Now()})
		require.Error(t, err)
	}
}

func TestAnIssuerThatIsAwayIsNotTheSendersFault(t *testing.T) {
	t.Parallel()
	all := newIssuers(t)
	token, err := all.sign(issuer, claims(t, nil))
	require.NoError(t, err)
	p, err := kinde.New(provider.Settings{
		Secrets:   func() []string { return []string{issuer} },
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errAway }),
	})
	require.NoError(t, err)
	_, err = p.Receive(http.Header{"Content-Type": {"application/jwt"}}, token)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, fault.ReasonKeys, fault.ReasonOf(err))
	require.ErrorIs(t, err, errAway)
	require.NotContains(t, err.Error(), "kinde.com")
}

// receive gives a provider of the first issuer genuine claims.
func receive(t *testing.T, all *issuers, claims []byte) (event.Delivery, error) {
	t.Helper()
	p, err := all.open(provider.Settings{Secrets: func() []string { return []string{issuer} }})
	require.NoError(t, err)
	token, err := all.sign(issuer, claims)
	require.NoError(t, err)
	return p.Receive(http.Header{"Content-Type": {"application/jwt"}}, token)
}

var errAway = errors.New("away")

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
