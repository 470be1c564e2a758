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

	"github.com/polar-bridge/polar-bridge/internal/identity"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// signer signs any body as a provider does and returns what is sent.
type signer func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte)

// signingSide is a provider's side of the tests. The zero value serves every provider
// with a static token or Svix' signatures.
type signingSide struct {
	// secret and other sign; one that the provider takes when they are empty.
	secret, other string
	// configured is the setting's value, by default the secret.
	configured string
	// settings are those that the provider needs besides its secret.
	settings []string
	// sign replaces what is found out from a sample.
	sign signer
	// plain returns the event in a sample's body, by default the body itself.
	plain func(t *testing.T, body []byte) []byte
}

// senders has what a provider needs besides its secret. A provider of another
// kind than those above fails here until it has its line.
func senders(t *testing.T) map[string]signingSide {
	t.Helper()
	return map[string]signingSide{
		"auth0-logs": {settings: []string{"AUTH0_LOGS_UNCONFIRMED=true"}},
		"workos":     {sign: timed(signature.TimedForm{Header: "Workos-Signature", Separator: ", ", Unit: time.Millisecond})},
		"zitadel":    {sign: timed(signature.TimedForm{Header: "Zitadel-Signature", Separator: ",", Unit: time.Second})},
		"logto":      {sign: plainHMAC("logto-signature-sha-256")},
		"keycloak":   {sign: plainHMAC("X-Keycloak-Signature")},
		"fusionauth": {sign: digestInToken},
		"kinde":      kindeSender(t),
	}
}

const (
	senderToken = "marker-secret-of-a-provider-0123456789"
	otherToken  = "marker-secret-of-nobody-0123456789abcd"
	otherKey    = "whsec_bWFya2VyLW5vYm9keS1tYXJrZXItbm9ib2R5"
)

// senderOf completes the provider's line.
func senderOf(t *testing.T, e identity.Entry) signingSide {
	t.Helper()
	s := senders(t)[e.Name]
	if s.secret == "" {
		s.secret, s.other = senderToken, otherToken
		if e.CheckSecret(senderToken) != nil {
			s.secret, s.other = clerkKey, otherKey
		}
	}
	if s.configured == "" {
		s.configured = s.secret
	}
	if s.plain == nil {
		s.plain = func(_ *testing.T, body []byte) []byte { return body }
	}
	if s.sign == nil {
		s.sign = s.found(t, e)
	}
	return s
}

// found returns how the samples are signed, as far as it can be seen.
func (s signingSide) found(t *testing.T, e identity.Entry) signer {
	t.Helper()
	if static(t, e, s.secret) {
		return func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte) {
			t.Helper()
			header, _, err := e.Sample(secret, identity.Sample{ExternalID: "a", EventID: "e", Time: at})
			require.NoError(t, err)
			return header, body
		}
	}
	set := signature.SvixHeaders()
	if header, _ := sampleOf(t, e, s.secret, "a"); header.Get(set.ID) == "" {
		set = signature.StandardHeaders()
		require.NotEmpty(t, header.Get(set.ID), "%s needs a line in senders", e.Name)
	}
	return func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte) {
		t.Helper()
		sum := sha256.Sum256(body)
		header, err := signature.SvixHeader(set, secret, "msg_"+base64.RawURLEncoding.EncodeToString(sum[:12]), at, body)
		require.NoError(t, err)
		return header, body
	}
}

// static says whether nothing in the headers depends on the body, in which the
// id can be read: then nothing protects the body.
func static(t *testing.T, e identity.Entry, secret string) bool {
	t.Helper()
	first, body := sampleOf(t, e, secret, "user_a")
	second, _ := sampleOf(t, e, secret, "user_b")
	one, err := json.Marshal(first)
	require.NoError(t, err)
	two, err := json.Marshal(second)
	require.NoError(t, err)
	return bytes.Equal(one, two) && bytes.Contains(body, []byte("user_a"))
}

func sampleOf(t *testing.T, e identity.Entry, secret, id string) (http.Header, []byte) {
	t.Helper()
	header, body, err := e.Sample(secret, identity.Sample{ExternalID: id, EventID: "evt_1", Time: time.Unix(1_800_000_000, 0)})
	require.NoError(t, err)
	return header, body
}

func timed(form signature.TimedForm) signer {
	return func(t *testing.T, secret string, at time.Time, body []byte) (http.Header, []byte) {
		t.Helper()
		header, err := form.SignHeader(secret, at, body)
		require.NoError(t, err)
		return header, body
	}
}

func plainHMAC(name string) signer {
	return func(t *testing.T, secret string, _ time.Time, body []byte) (http.Header, []byte) {
		t.Helper()
		header, err := signature.PlainHMACHeader(name, secret, body)
		require.NoError(t, err)
		return header, body
	}
}

// digestInToken is FusionAuth's way.
func digestInToken(t *testing.T, secret string, _ time.Time, body []byte) (http.Header, []byte) {
	t.Helper()
	sum := sha256.Sum256(body)
	token, err := signature.SignJWT(secret, []byte(`{"request_body_sha256":"`+base64.StdEncoding.EncodeToString(sum[:])+`"}`))
	require.NoError(t, err)
	return http.Header{"Content-Type": {"application/json"}, "X-Fusionauth-Signature-Jwt": {token}}, body
}

// kindeSender is an issuer on this machine. The body is its token.
func kindeSender(t *testing.T) signingSide {
	t.Helper()
	private, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	other, _, err := signature.NewSigningKey()
	require.NoError(t, err)
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/jwks.json" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(keys) // whoever asked has gone
	}))
	t.Cleanup(issuer.Close)
	return signingSide{
		secret: private, other: other, configured: issuer.URL,
		sign: func(t *testing.T, secret string, _ time.Time, claims []byte) (http.Header, []byte) {
			t.Helper()
			token, err := signature.SignJWT(secret, claims)
			require.NoError(t, err)
			return http.Header{"Content-Type": {"application/jwt"}}, []byte(token)
		},
		plain: func(t *testing.T, body []byte) []byte {
			t.Helper()
			claims, err := base64.RawURLEncoding.DecodeString(strings.Split(string(body), ".")[1])
			require.NoError(t, err)
			return claims
		},
	}
}
