package fusionauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
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

func TestFusionAuth(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestFusionAuthWithPublicKeys(t *testing.T) {
	t.Parallel()
	providertest.Run(t, issuerHarness(t))
}

// The tokens are npm jose's, see scripts/golden/jose.mjs.
func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func TestGoldenRequestsWithPublicKeys(t *testing.T) {
	t.Parallel()
	const address = "https://golden.example.com/.well-known/jwks.json"
	set, err := os.ReadFile("testdata/public-keys/jwks.json")
	require.NoError(t, err)
	h := harness()
	h.New = keySets{address: set}.open
	h.Golden = []string{address}
	providertest.Golden(t, h, "testdata/public-keys")
}

func FuzzReceive(f *testing.F)            { providertest.Fuzz(f, harness()) }
func FuzzReceivePublicKeys(f *testing.F)  { providertest.Fuzz(f, issuerHarness(f)) }
func FuzzUnsigned(f *testing.F)           { providertest.FuzzUnsigned(f, harness()) }
func FuzzUnsignedPublicKeys(f *testing.F) { providertest.FuzzUnsigned(f, issuerHarness(f)) }

func TestATokenMustBeAboutTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(deletion("user.delete", 0, 0))
	raw, err := base64.StdEncoding.DecodeString(digest(body))
	require.NoError(t, err)
	claim := func(value string) string { return `{"request_body_sha256":"` + value + `"}` }
	tests := []struct {
		name, claims, reason string
	}{
		{"its digest", claim(digest(body)), ""},
		{"its digest beside times", `{"iat":1,"exp":2,"request_body_sha256":"` + digest(body) + `"}`, ""},
		{"another body's digest", claim(digest([]byte("{}"))), fault.ReasonBadSignature},
		{"a digest without padding", claim(strings.TrimRight(digest(body), "=")), fault.ReasonBadSignature},
		{"a digest in base64url", claim(base64.URLEncoding.EncodeToString(raw) + " "), fault.ReasonBadSignature},
		{"a digest in hex", claim(hex.EncodeToString(raw)), fault.ReasonBadSignature},
		{"a digest that is cut off", claim(digest(body)[:20]), fault.ReasonBadSignature},
		{"an empty digest", claim(""), fault.ReasonBadToken},
		{"no digest", `{}`, fault.ReasonBadToken},
		{"a digest under another name", `{"Request_Body_SHA256":"` + digest(body) + `"}`, fault.ReasonBadToken},
		{"two digests", `{"request_body_sha256":"` + digest(body) + `","request_body_sha256":"` + digest(body) + `"}`, fault.ReasonBadToken},
		{"a digest that is a list", `{"request_body_sha256":["` + digest(body) + `"]}`, fault.ReasonBadToken},
		{"no JSON", `digest`, fault.ReasonBadToken},
		{"nothing", ``, fault.ReasonBadToken},
		{"the token of a user", `{"sub":"a","aud":"b","exp":1}`, fault.ReasonBadToken},
		{"the token of a user who chose a claim", `{"sub":"a","request_body_sha256":"` + digest(body) + `"}`, fault.ReasonBadToken},
		{"the token for somebody", `{"aud":null,"request_body_sha256":"` + digest(body) + `"}`, fault.ReasonBadToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header, err := signClaims(secret, tt.claims)
			require.NoError(t, err)
			d, err := open(t).Receive(header, body)
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
func TestNoEventIsTakenForARepeatOfAnother(t *testing.T) {
	t.Parallel()
	const at, born = 1_795_435_200_000, 1_331_449_200_000
	rolledBack := deletion("user.delete", at, born)
	first := receive(t, rolledBack).Deletions[0].EventID
	require.Equal(t, first, receive(t, rolledBack).Deletions[0].EventID, "sent once more")
	seen := map[string]bool{first: true}
	for _, body := range []string{
		strings.Replace(deletion("user.delete", at, born), "e-user", "f-user", 1),
		strings.Replace(deletion("user.delete", at+1, born), "e-user", "g-user", 1),
		deletion("user.delete.complete", at, born),
	} {
		key := receive(t, body).Deletions[0].EventID
		require.False(t, seen[key], body)
		seen[key] = true
	}
}

func TestAnEventWithoutAnIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	const first = `{"event":{"type":"user.delete","createInstant":1,"user":{"id":"a"}}}`
	key := receive(t, first).Deletions[0].EventID
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, key)
	require.NotEqual(t, key, receive(t, strings.Replace(first, ":1,", ":2,", 1)).Deletions[0].EventID)
}

func TestCreateInstantIsInMilliseconds(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	d := receive(t, deletion("user.delete", at.UnixMilli(), 0))
	require.Equal(t, at, d.Deletions[0].OccurredAt)
}

func TestAnHMACKeyIsNoPublicKeyAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	private, set, err := signature.NewSigningKey()
	require.NoError(t, err)
	body := []byte(deletion("user.delete", 0, 0))
	rsa, err := sign(private, body)
	require.NoError(t, err)
	hmac, err := sign(secret, body)
	require.NoError(t, err)
	_, err = open(t).Receive(rsa, body)
	require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
	const address = "https://auth.example.com/keys"
	p, err := keySets{address: set}.open(provider.Settings{Secrets: func() []string { return []string{address} }})
	require.NoError(t, err)
	_, err = p.Receive(hmac, body)
	require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
	_, err = p.Receive(rsa, body)
	require.NoError(t, err)
}

func TestATokenOfAMegabyteIsNotRead(t *testing.T) {
	t.Parallel()
	for _, token := range []string{strings.Repeat("a", 1<<20), strings.Repeat(".", 1<<20), strings.Repeat("eyJ9.", 1<<18)} {
		err := open(t).CheckHeader(http.Header{http.CanonicalHeaderKey(signatureHeader): {token}})
		require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(err))
		require.Less(t, len(err.Error()), 100)
	}
}

// deletion returns the body of an event about the user "a".
func deletion(typ string, at, born int64) string {
	return fmt.Sprintf(`{"event":{"type":%q,"id":"e-%s","tenantId":"t","createInstant":%d,"user":{"id":"a","insertInstant":%d}}}`, typ, typ, at, born)
}

func open(t *testing.T) *fusionauth.Provider {
	t.Helper()
	p, err := fusionauth.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	return p
}

// receive returns what an authentic body says.
func receive(t *testing.T, body string) event.Delivery {
	t.Helper()
	header, err := sign(secret, []byte(body))
	require.NoError(t, err)
	d, err := open(t).Receive(header, []byte(body))
	require.NoError(t, err)
	require.Len(t, d.Deletions, 1)
	return d
}
