package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestFusionAuthATokenMustBeAboutTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(fusionAuthEvent("user.delete", 0, 0))
	raw, err := base64.StdEncoding.DecodeString(fusionAuthDigest(body))
	require.NoError(t, err)
	claim := func(value string) string { return `{"request_body_sha256":"` + value + `"}` }
	tests := []struct {
		name, claims string
		reason       fault.Reason
	}{
		{"its digest", claim(fusionAuthDigest(body)), ""},
		{"its digest beside times", `{"iat":1,"exp":2,"request_body_sha256":"` + fusionAuthDigest(body) + `"}`, ""},
		{"another body's digest", claim(fusionAuthDigest([]byte("{}"))), fault.ReasonBadSignature},
		{"a digest without padding", claim(strings.TrimRight(fusionAuthDigest(body), "=")), fault.ReasonBadSignature},
		{"a digest in base64url", claim(base64.URLEncoding.EncodeToString(raw) + " "), fault.ReasonBadSignature},
		{"a digest in hex", claim(hex.EncodeToString(raw)), fault.ReasonBadSignature},
		{"a digest that is cut off", claim(fusionAuthDigest(body)[:20]), fault.ReasonBadSignature},
		{"an empty digest", claim(""), fault.ReasonBadToken},
		{"no digest", `{}`, fault.ReasonBadToken},
		{"a digest under another name", `{"Request_Body_SHA256":"` + fusionAuthDigest(body) + `"}`, fault.ReasonBadToken},
		{"two digests", `{"request_body_sha256":"` + fusionAuthDigest(body) + `","request_body_sha256":"` + fusionAuthDigest(body) + `"}`, fault.ReasonBadToken},
		{"a digest that is a list", `{"request_body_sha256":["` + fusionAuthDigest(body) + `"]}`, fault.ReasonBadToken},
		{"no JSON", `digest`, fault.ReasonBadToken},
		{"nothing", ``, fault.ReasonBadToken},
		{"the token of a user", `{"sub":"a","aud":"b","exp":1}`, fault.ReasonBadToken},
		{"the token of a user who chose a claim", `{"sub":"a","request_body_sha256":"` + fusionAuthDigest(body) + `"}`, fault.ReasonBadToken},
		{"the token for somebody", `{"aud":null,"request_body_sha256":"` + fusionAuthDigest(body) + `"}`, fault.ReasonBadToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header, err := signFusionAuthClaims(textKey, tt.claims)
			require.NoError(t, err)
			d, err := fusionAuth(t).Receive(header, body)
			if tt.reason == "" {
				require.NoError(t, err)
				require.Len(t, d.Deletions, 1)
				return
			}
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			require.Equal(t, tt.reason, fault.ReasonOf(err))
		})
	}
}

// A deletion that was rolled back and the one that succeeds later, however soon,
// are two, and so are the events before and after a commit.
func TestFusionAuthNoEventIsTakenForARepeatOfAnother(t *testing.T) {
	t.Parallel()
	const at, born = 1_795_435_200_000, 1_331_449_200_000
	rolledBack := fusionAuthEvent("user.delete", at, born)
	first := fusionAuth(t).receive(t, rolledBack).Deletions[0].EventID
	require.Equal(t, first, fusionAuth(t).receive(t, rolledBack).Deletions[0].EventID, "sent once more")
	seen := map[string]bool{first: true}
	for _, body := range []string{
		strings.Replace(fusionAuthEvent("user.delete", at, born), "e-user", "f-user", 1),
		strings.Replace(fusionAuthEvent("user.delete", at+1, born), "e-user", "g-user", 1),
		fusionAuthEvent("user.delete.complete", at, born),
	} {
		key := fusionAuth(t).receive(t, body).Deletions[0].EventID
		require.False(t, seen[key], body)
		seen[key] = true
	}
}

func TestFusionAuthAnEventWithoutAnIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	const first = `{"event":{"type":"user.delete","createInstant":1,"user":{"id":"a"}}}`
	key := fusionAuth(t).receive(t, first).Deletions[0].EventID
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, key)
	require.NotEqual(t, key, fusionAuth(t).receive(t, strings.Replace(first, ":1,", ":2,", 1)).Deletions[0].EventID)
}

func TestFusionAuthCreateInstantIsInMilliseconds(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	d := fusionAuth(t).receive(t, fusionAuthEvent("user.delete", at.UnixMilli(), 0))
	require.Equal(t, at, d.Deletions[0].OccurredAt)
}

func TestFusionAuthAnHMACKeyIsNoPublicKeyAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	private, set, err := signature.NewSigningKey()
	require.NoError(t, err)
	body := []byte(fusionAuthEvent("user.delete", 0, 0))
	rsa, err := signFusionAuth(private, body)
	require.NoError(t, err)
	hmac, err := signFusionAuth(textKey, body)
	require.NoError(t, err)
	_, err = fusionAuth(t).Receive(rsa, body)
	require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
	const address = "https://auth.example.com/keys"
	p := enabledWith(t, provider.Options{Transport: publishes(set)}, "fusionauth", "FUSIONAUTH_JWKS_URL", address)
	_, err = p.Receive(hmac, body)
	require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
	_, err = p.Receive(rsa, body)
	require.NoError(t, err)
}

func TestFusionAuthSignsWithOneKey(t *testing.T) {
	t.Parallel()
	_, err := load(provider.Options{}, "FUSIONAUTH_WEBHOOK_KEY", textKey, "FUSIONAUTH_JWKS_URL", "https://auth.example.com/jwks")
	require.EqualError(t, err, "FUSIONAUTH_JWKS_URL and FUSIONAUTH_WEBHOOK_KEY are both set; FusionAuth signs a webhook with one key only.")
}

func TestFusionAuthATokenOfAMegabyteIsNotRead(t *testing.T) {
	t.Parallel()
	for _, token := range []string{strings.Repeat("a", 1<<20), strings.Repeat(".", 1<<20), strings.Repeat("eyJ9.", 1<<18)} {
		err := fusionAuth(t).Scheme.CheckHeader(http.Header{http.CanonicalHeaderKey(fusionAuthHeader): {token}})
		require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
		require.Less(t, len(err.Error()), 100)
	}
}

// fusionAuthEvent returns the body of an event about the user "a".
func fusionAuthEvent(typ string, at, born int64) string {
	return fmt.Sprintf(`{"event":{"type":%q,"id":"e-%s","tenantId":"t","createInstant":%d,"user":{"id":"a","insertInstant":%d}}}`, typ, typ, at, born)
}

// signFusionAuth is what the sender does, written a second time.
func signFusionAuth(key string, body []byte) (http.Header, error) {
	return signFusionAuthClaims(key, `{"request_body_sha256":"`+fusionAuthDigest(body)+`"}`)
}

func signFusionAuthClaims(key, claims string) (http.Header, error) {
	token, err := signature.SignJWT(key, []byte(claims))
	h := http.Header{"Content-Type": {"application/json"}}
	h.Set(fusionAuthHeader, token)
	return h, err
}

func fusionAuthDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

const fusionAuthHeader = "X-FusionAuth-Signature-JWT"

func fusionAuth(t *testing.T) *sender {
	t.Helper()
	return enabled(t, "fusionauth", "FUSIONAUTH_WEBHOOK_KEY", textKey)
}
