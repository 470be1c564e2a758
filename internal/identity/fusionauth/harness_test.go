package fusionauth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/fusionauth"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret          = "golden_0123456789abcdef0123456789abcdef"
	other           = "other_fedcba9876543210fedcba9876543210"
	signatureHeader = "X-FusionAuth-Signature-JWT"
)

func harness() providertest.Harness {
	return providertest.Harness{
		Info:   fusionauth.About(),
		New:    func(s provider.Settings) (provider.Provider, error) { return fusionauth.New(s) },
		Sample: fusionauth.Sample,
		Secret: secret,
		Other:  other,
		Unusable: []string{
			"marker-of-15-by", " marker-with-a-blank", "marker-with-a-break\n", "https://marker.example.com/.well-known/jwks.json",
			"http://127.0.0.1:9011/marker", "-----BEGIN PUBLIC KEY-----", `{"kty":"RSA","n":"marker"}`, "ssh-ed25519 marker-marker",
		},
		Scheme: &providertest.Scheme{
			Headers: []string{http.CanonicalHeaderKey(signatureHeader)},
			Sign:    func(key string, _ time.Time, body []byte) (http.Header, error) { return sign(key, body) },
		},
		IDMember: "id",
		Body: func(members string) []byte {
			return []byte(`{"event":{"type":"user.delete.complete","id":"e","createInstant":1795435200000,"user":{` + members + `}}}`)
		},
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret, other},
	}
}

// issuerHarness is one for keys that FusionAuth publishes. Secrets are addresses.
func issuerHarness(tb testing.TB) providertest.Harness {
	tb.Helper()
	const address, otherAddress = "https://auth.example.com/.well-known/jwks.json", "https://other.example.com/jwks"
	private, sets := map[string]string{}, keySets{}
	for _, one := range []string{address, otherAddress} {
		key, set, err := signature.NewSigningKey()
		require.NoError(tb, err)
		private[one], sets[one] = key, set
	}
	h := harness()
	h.Info.SecretEnv = "FUSIONAUTH_JWKS_URL"
	h.Secret, h.Other = address, otherAddress
	h.Unusable = []string{secret, "http://marker.example.com", "https://marker.example.com?a=b", "file:///etc/marker"}
	h.New = sets.open
	h.Sample = func(address string, s provider.Sample) (http.Header, []byte, error) {
		return fusionauth.Sample(private[address], s)
	}
	h.Scheme.Sign = func(address string, _ time.Time, body []byte) (http.Header, error) {
		return sign(private[address], body)
	}
	return h
}

// keySets answers for the addresses of key sets.
type keySets map[string][]byte

// RoundTrip implements http.RoundTripper.
func (k keySets) RoundTrip(r *http.Request) (*http.Response, error) {
	set, ok := k[r.URL.String()]
	if !ok {
		return nil, errors.New("no such address")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(set)), Request: r}, nil
}

func (k keySets) open(s provider.Settings) (provider.Provider, error) {
	s.PublicKeys, s.Transport = true, k
	return fusionauth.New(s)
}

// sign is what the sender does, written anew.
func sign(key string, body []byte) (http.Header, error) {
	return signClaims(key, `{"request_body_sha256":"`+digest(body)+`"}`)
}

func signClaims(key, claims string) (http.Header, error) {
	token, err := signature.SignJWT(key, []byte(claims))
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set(signatureHeader, token)
	return h, err
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func ignored() []providertest.Case {
	return providertest.Cases(event.IgnoreOtherType, map[string]string{
		"another type":                 `{"event":{"type":"user.update","id":"e","user":{"id":"a"}}}`,
		"another type with other data": `{"event":{"type":"jwt.refresh","user":[1]}}`,
		"a registration":               `{"event":{"type":"user.registration.delete.complete","user":{"id":"a"}}}`,
		"a deactivation":               `{"event":{"type":"user.deactivate","user":{"id":"a"}}}`,
		"type in other case":           `{"event":{"type":"User.Delete","user":{"id":"a"}}}`,
		"type with more":               `{"event":{"type":"user.delete.completed","user":{"id":"a"}}}`,
		"type under another name":      `{"event":{"Type":"user.delete","user":{"id":"a"}}}`,
		"type at the top":              `{"type":"user.delete","event":{"user":{"id":"a"}}}`,
		"no event":                     `{}`,
		"event that is null":           `{"event":null}`,
	})
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":            `[]`,
		"null":             `null`,
		"event is a list":  `{"event":[]}`,
		"integer type":     `{"event":{"type":5}}`,
		"user is a string": `{"event":{"type":"user.delete","user":"a"}}`,
		"user is a list":   `{"event":{"type":"user.delete.complete","user":["a"]}}`,
	})
}
