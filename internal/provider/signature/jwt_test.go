package signature_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const hmacSecret = "0123456789abcdef0123456789abcdef"

func TestTheFormOfATokenIsOneOnly(t *testing.T) {
	t.Parallel()
	v := hmacVerifier(t)
	good, err := signature.SignJWT(hmacSecret, []byte(`{"a":1}`))
	require.NoError(t, err)
	requireVerified(t, v, good)
	parts := strings.Split(good, ".")
	join := func(p ...string) string { return strings.Join(p, ".") }
	encode := base64.RawURLEncoding.EncodeToString
	header := func(text string) string { return sign(encode([]byte(text)), parts[1]) }
	for name, token := range map[string]string{
		"nothing":                    "",
		"dots":                       "..",
		"one part":                   parts[0],
		"two parts":                  join(parts[0], parts[1]),
		"four parts":                 good + ".",
		"five parts, as encrypted":   join("", parts[0], parts[1], parts[2], ""),
		"a blank before":             " " + good,
		"a line break after":         good + "\n",
		"a line break in a part":     sign(parts[0][:4]+"\n"+parts[0][4:], parts[1]),
		"a carriage return":          sign(parts[0], parts[1]+"\r"),
		"padding":                    good + "=",
		"bits left over":             good[:len(good)-1] + string(good[len(good)-1]+1),
		"standard base64":            join(parts[0], parts[1], "+"+parts[2][1:]),
		"a header that is no JSON":   header(`alg=HS256`),
		"a header that is a list":    header(`["HS256"]`),
		"a header with a name twice": header(`{"alg":"none","alg":"HS256"}`),
		"a header with more after":   header(`{"alg":"HS256"}{}`),
		"a header in another case":   header(`{"ALG":"HS256"}`),
		"a header that is not UTF-8": header("{\"alg\":\"HS256\",\"x\":\"\xff\"}"),
		"a kid that is a number":     header(`{"alg":"HS256","kid":5}`),
		"a typ that is a list":       header(`{"alg":"HS256","typ":["JWT"]}`),
		"an extension":               header(`{"alg":"HS256","crit":["b64"],"b64":false}`),
		"an extension that is null":  header(`{"alg":"HS256","crit":null}`),
		"no algorithm":               header(`{}`),
		"none":                       header(`{"alg":"none"}`),
		"None":                       header(`{"alg":"None"}`),
		"nOnE":                       header(`{"alg":"nOnE"}`),
		"hs256":                      header(`{"alg":"hs256"}`),
		"HS256 with a blank":         header(`{"alg":"HS256 "}`),
		"RS256":                      header(`{"alg":"RS256"}`),
		"none, unsigned":             unsigned("none", ""),
		"too long":                   strings.Repeat("a", 8<<10+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, v, token, fault.Unauthenticated, fault.ReasonBadToken)
		})
	}
	for name, token := range map[string]string{
		"no signature":        join(parts[0], parts[1], ""),
		"a shorter signature": good[:len(good)-3],
		"another payload":     join(parts[0], encode([]byte(`{"a":2}`)), parts[2]),
		"another digest":      sign(encode([]byte(`{"alg":"HS512"}`)), parts[1]),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, v, token, fault.Unauthenticated, fault.ReasonBadSignature)
		})
	}
}

func TestATokenOverTheLimitIsNotReadHoweverGenuine(t *testing.T) {
	t.Parallel()
	v := hmacVerifier(t)
	signed := func(n int) string {
		token, err := signature.SignJWT(hmacSecret, []byte(`{"pad":"`+strings.Repeat("a", n)+`"}`))
		require.NoError(t, err)
		return token
	}
	fits := signed(6073)
	require.Equal(t, 8<<10, len(fits)) //nolint:testifylint // Len would print it
	_, err := v.VerifyToken(fits)
	require.NoError(t, err)
	for _, n := range []int{6074, 1 << 20} {
		requireRefused(t, v, signed(n), fault.Unauthenticated, fault.ReasonBadToken)
	}
}

func TestATokenOfAMegabyteCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	v := hmacVerifier(t)
	long := strings.Repeat("eyJ9.", 1<<18)
	require.Less(t, testing.AllocsPerRun(10, func() { _, _ = v.VerifyToken(long) }), 10.0)
}

func TestAnHMACWithThePublicKeyIsNoSignature(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	v := newIssuer(key.set).verifier(t)
	parts := strings.Split(key.token, ".")
	for _, secret := range []string{string(key.set), key.private, hmacSecret} {
		for _, alg := range []string{"HS256", "RS256"} {
			header := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decode(t, parts[0]), "RS256", alg, 1)))
			mac, err := jwt.SigningMethodHS256.Sign(header+"."+parts[1], []byte(secret))
			require.NoError(t, err)
			_, err = v.VerifyToken(header + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac))
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		}
	}
}

func TestHMACKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                             "must hold a key of at least 16 bytes",
		"0123456789abcde":              "must hold a key of at least 16 bytes",
		"https://auth.example.com":     "must be the HMAC secret, not an address or a key of a pair",
		"-----BEGIN PUBLIC KEY-----":   "must be the HMAC secret, not an address or a key of a pair",
		`{"kty":"oct","k":"AAAAAAAA"}`: "must be the HMAC secret, not an address or a key of a pair",
		" 0123456789abcdef":            "must have no white space around it",
	} {
		require.EqualError(t, signature.NewHMACJWT(100).CheckKey(value), want)
		_, err := signature.SignJWT(value, nil)
		require.Error(t, err)
	}
	_, err := signature.SignJWT("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", nil)
	require.Error(t, err)
}

func TestATokenInAHeaderStandsThereOnce(t *testing.T) {
	t.Parallel()
	v := hmacVerifier(t)
	token, err := signature.SignJWT(hmacSecret, []byte(`{"a":1}`))
	require.NoError(t, err)
	got, err := v.VerifyHeader(http.Header{"X-Token": {token}}, "x-token")
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1}`, string(got.Payload))
	for _, tt := range []struct {
		reason fault.Reason
		values []string
	}{
		{fault.ReasonMissingHeader, nil}, {fault.ReasonRepeatedHeader, []string{token, token}}, {fault.ReasonBadToken, []string{token + "," + token}},
	} {
		_, err := v.VerifyHeader(http.Header{"X-Token": tt.values}, "X-Token")
		require.Equal(t, tt.reason, fault.ReasonOf(err))
	}
}

func FuzzJWT(f *testing.F) {
	key := newSigner(f)
	issuer := newIssuer(key.set)
	published := issuer.verifier(f)
	symmetric := hmacVerifier(f)
	genuine, err := signature.SignJWT(hmacSecret, []byte(`{"a":1}`))
	require.NoError(f, err)
	f.Add(genuine)
	f.Add(key.token)
	f.Add(unsigned("none", ""))
	f.Add(genuine + ".")
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range []*signature.JWT{published, symmetric} {
			got, err := v.VerifyToken(token)
			if err != nil {
				require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
				require.Zero(t, got)
				continue
			}
			require.Contains(t, []string{genuine, key.token}, token)
		}
	})
}

func hmacVerifier(tb testing.TB) *signature.JWT {
	tb.Helper()
	return with(tb, signature.NewHMACJWT(8<<10), "another secret of 32 bytes, I say", hmacSecret)
}

// sign returns a token of the two parts with a genuine HS256 signature.
func sign(header, payload string) string {
	mac, err := jwt.SigningMethodHS256.Sign(header+"."+payload, []byte(hmacSecret))
	if err != nil {
		return ""
	}
	return header + "." + payload + "." + base64.RawURLEncoding.EncodeToString(mac)
}

func unsigned(alg, kid string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","kid":"`+kid+`"}`)) + ".."
}

func decode(tb testing.TB, part string) string {
	tb.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(tb, err)
	return string(text)
}

func rsaKey(tb testing.TB, bits int) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(tb, err)
	return key
}
