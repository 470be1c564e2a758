package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// signer signs any body as a provider does and returns what is sent.
type signer func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte)

// signingSide is a provider's side of the tests.
type signingSide struct {
	// secret and other sign.
	secret, other string
	// configured is the setting's value, by default the secret.
	configured string
	// settings are those that the provider needs besides its secret.
	settings []string
	// sign signs any body.
	sign signer
	// plain returns the event in a sample's body, by default the body itself.
	plain func(t *testing.T, body []byte) []byte
}

// everyProvider returns the registry, with settings that are not loaded.
func everyProvider() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }

const (
	senderToken = "marker-secret-of-a-provider-0123456789"
	otherToken  = "marker-secret-of-nobody-0123456789abcd"
	otherKey    = "whsec_bWFya2VyLW5vYm9keS1tYXJrZXItbm9ib2R5"
)

// senderOf returns the provider's side.
func senderOf(t *testing.T, e *provider.Spec) signingSide {
	t.Helper()
	s := signingSide{
		secret: senderToken, other: otherToken,
		plain: func(_ *testing.T, body []byte) []byte { return body },
		sign: func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte) {
			t.Helper()
			sum := sha256.Sum256(body)
			header, signed, err := e.Scheme.Sign(secret, "msg_"+base64.RawURLEncoding.EncodeToString(sum[:12]), at, body)
			require.NoError(t, err)
			return header, signed
		},
	}
	switch {
	case e.EnabledBy == e.KeysURLEnv:
		s.secret, s.other, s.configured = issuerSender(t)
		s.plain = claimsOf
	case e.Scheme.CheckKey(senderToken) != nil:
		s.secret, s.other = clerkKey, otherKey
	}
	if s.configured == "" {
		s.configured = s.secret
	}
	if e.Name == "auth0-logs" {
		s.settings = []string{"AUTH0_LOGS_UNCONFIRMED=true"}
	}
	return s
}

// static says whether nothing in the headers depends on the body, in which the
// id can be read: then nothing protects the body.
func static(t *testing.T, e *provider.Spec, secret string) bool {
	t.Helper()
	first, body := sampleOf(t, e, secret, "user_a")
	second, _ := sampleOf(t, e, secret, "user_b")
	one, err := json.Marshal(first)
	require.NoError(t, err)
	two, err := json.Marshal(second)
	require.NoError(t, err)
	return bytes.Equal(one, two) && bytes.Contains(body, []byte("user_a"))
}

func sampleOf(t *testing.T, e *provider.Spec, secret, id string) (http.Header, []byte) {
	t.Helper()
	header, body, err := e.Sample(secret, provider.Sample{ExternalID: id, EventID: "evt_1", Time: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	return header, body
}

// issuerSender is an issuer on this machine: its private key, one that it does not
// publish, and its address.
func issuerSender(t *testing.T) (private, other, address string) {
	t.Helper()
	private, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	other, _, err = signature.NewSigningKey()
	require.NoError(t, err)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/jwks.json" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(keys) // whoever asked has gone
	}))
	t.Cleanup(issuer.Close)
	return private, other, issuer.URL
}

// claimsOf returns what a token says.
func claimsOf(t *testing.T, token []byte) []byte {
	t.Helper()
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(string(token), ".")[1])
	require.NoError(t, err)
	return claims
}
