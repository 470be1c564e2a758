package signature_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The key pair, the message and the signature of Svix' own server tests.
// https://github.com/svix/svix-webhooks/blob/v1.99.1/server/svix-server/src/worker.rs (test_asymmetric_key_signing)
const (
	svixPublic    = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
	svixPrivate   = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	svixAt        = 1614265330
	svixID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	svixBody      = `{"test": 2432232314}`
	svixSignature = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
)

func TestPublishedEd25519Vector(t *testing.T) {
	t.Parallel()
	require.Equal(t, svixSignature, signEd25519(t, svixID, svixAt, svixBody), "the standard library agrees")
	for _, set := range []signature.HeaderSet{signature.StandardHeaders(), signature.SvixHeaders()} {
		for _, keys := range [][]string{{svixPublic}, {secret, svixPublic}, {svixPublic, other}} {
			v := standardVerifier(t, keys...)
			h := headers(set, svixID, svixAt, svixSignature)
			require.NoError(t, v.CheckHeader(h))
			id, err := v.Verify(h, []byte(svixBody))
			require.NoError(t, err)
			require.Equal(t, svixID, id.ID)
		}
	}
}

func TestEd25519CoversIDTimestampAndBody(t *testing.T) {
	t.Parallel()
	v := standardVerifier(t, svixPublic)
	for name, h := range map[string]http.Header{
		"another id":        headers(signature.StandardHeaders(), "msg_2", svixAt, svixSignature),
		"another timestamp": headers(signature.StandardHeaders(), svixID, svixAt+1, svixSignature),
	} {
		_, err := v.Verify(h, []byte(svixBody))
		require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err), name)
	}
	h := headers(signature.StandardHeaders(), svixID, svixAt, svixSignature)
	for i := range svixBody {
		changed := []byte(svixBody)
		changed[i] ^= 1
		_, err := v.Verify(h, changed)
		require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err))
	}
	for i := range svixSignature {
		changed := []byte(svixSignature)
		changed[i] ^= 1
		_, err := v.Verify(headers(signature.StandardHeaders(), svixID, svixAt, string(changed)), []byte(svixBody))
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err), "byte %d", i)
	}
}

// A public key is no secret: what anybody can compute with it must not pass, in
// either version and whatever else is configured.
func TestEachKeyVerifiesItsOwnVersionOnly(t *testing.T) {
	t.Parallel()
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(svixPublic, "whpk_"))
	require.NoError(t, err)
	byPublicKey := signature.SvixSign(public, svixID, time.Unix(svixAt, 0), []byte(svixBody))
	byPublicText := signature.SvixSign([]byte(svixPublic), svixID, time.Unix(svixAt, 0), []byte(svixBody))
	hmacKey, err := signature.SvixKey(secret)
	require.NoError(t, err)
	bySecret := signature.SvixSign(hmacKey, svixID, time.Unix(svixAt, 0), []byte(svixBody))
	tests := map[string]struct {
		keys      []string
		signature string
	}{
		"HMAC with the public key's bytes":        {[]string{svixPublic}, byPublicKey},
		"HMAC with the public key's text":         {[]string{svixPublic}, byPublicText},
		"the same with a secret beside it":        {[]string{secret, svixPublic}, byPublicKey},
		"the same HMAC as v1a":                    {[]string{svixPublic}, "v1a," + strings.TrimPrefix(byPublicKey, "v1,")},
		"the secret's HMAC as v1a":                {[]string{secret, svixPublic}, "v1a," + strings.TrimPrefix(bySecret, "v1,")},
		"the ed25519 signature as v1":             {[]string{secret, svixPublic}, "v1," + strings.TrimPrefix(svixSignature, "v1a,")},
		"an ed25519 signature without its key":    {[]string{secret}, svixSignature},
		"an HMAC without its secret":              {[]string{svixPublic}, bySecret},
		"both, each without its key":              {[]string{other}, bySecret + " " + svixSignature},
		"an ed25519 signature with a wrong v1":    {[]string{secret}, svixSignature + " " + byPublicKey},
		"an ed25519 signature of 64 zero bytes":   {[]string{svixPublic}, "v1a," + base64.StdEncoding.EncodeToString(make([]byte, 64))},
		"an ed25519 signature with a longer tail": {[]string{svixPublic}, svixSignature + "AAAA"},
	}
	for name, tt := range tests {
		_, err := standardVerifier(t, tt.keys...).Verify(headers(signature.StandardHeaders(), svixID, svixAt, tt.signature), []byte(svixBody))
		require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err), name)
	}
	for _, signed := range []string{bySecret, svixSignature, byPublicKey + " " + svixSignature, "v1a,AAAA " + bySecret} {
		_, err := standardVerifier(t, secret, svixPublic).Verify(headers(signature.StandardHeaders(), svixID, svixAt, signed), []byte(svixBody))
		require.NoError(t, err)
	}
}

func TestOnlyStandardVerifiersTakeEd25519(t *testing.T) {
	t.Parallel()
	h := headers(signature.StandardHeaders(), svixID, svixAt, svixSignature)
	v := verifier(t, svixAt, signature.StandardHeaders(), secret)
	require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(v.CheckHeader(h)), "known before the body is read")
	err := signature.NewSvix(time.Now, signature.SvixHeaders()).CheckKey(svixPublic)
	require.Error(t, err)
}

// Each check of a signature hashes the body once more, for anybody who asks.
func TestTheNumberOfEd25519SignaturesIsBounded(t *testing.T) {
	t.Parallel()
	v := standardVerifier(t, svixPublic)
	wrong := "v1a," + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 64)) + " "
	_, err := v.Verify(headers(signature.StandardHeaders(), svixID, svixAt, strings.Repeat(wrong, 7)+svixSignature), []byte(svixBody))
	require.NoError(t, err)
	err = v.CheckHeader(headers(signature.StandardHeaders(), svixID, svixAt, strings.Repeat(wrong, 8)+svixSignature))
	require.Equal(t, fault.ReasonBadHeader, fault.ReasonOf(err))
}

func TestPublicKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		svixPrivate:                             "must be the sender's public key, whpk_…, and never its private key, whsk_…",
		"whsk_":                                 "must be the sender's public key, whpk_…, and never its private key, whsk_…",
		"whpk_":                                 "must hold 32 bytes in base64 after whpk_",
		"whpk_AAAA":                             "must hold 32 bytes in base64 after whpk_",
		"whpk_%%%%":                             "must hold 32 bytes in base64 after whpk_",
		svixPublic + "\n":                       "must hold 32 bytes in base64 after whpk_",
		"whpk_" + svixPublic:                    "must hold 32 bytes in base64 after whpk_",
		"WHPK_" + svixPublic[5:]:                "must be base64, with or without whsec_ before it, as the provider's console shows it",
		"whpk_" + strings.Repeat("A", 43) + "=": "must not be a placeholder: anybody can sign for this public key",
	}
	for value, want := range tests {
		err := standard().CheckKey(value)
		require.EqualError(t, err, want)
	}
	_, _, err := standard().Sign(svixPublic, "msg_1", time.Now(), nil)
	require.ErrorContains(t, err, "can only verify")
	_, _, err = standard().Sign(svixPrivate, "msg_1", time.Now(), nil)
	require.Error(t, err)
	h, _, err := standard().Sign(secret, "msg_1", time.Now(), nil)
	require.NoError(t, err)
	require.NotEmpty(t, h.Get("Webhook-Signature"))
}

// For each of the refused keys, the standard library takes a signature that was
// made without any private key: a scalar of 0 and a point of low order.
func TestRefusedKeysAreForgeable(t *testing.T) {
	t.Parallel()
	points := lowOrderPoints(t)
	for _, public := range points {
		require.True(t, forgeable(public, points), "%x", public)
		text := "whpk_" + base64.StdEncoding.EncodeToString(public)
		err := standard().CheckKey(text)
		require.ErrorContains(t, err, "placeholder", "%x", public)
	}
	genuine, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(svixPublic, "whpk_"))
	require.NoError(t, err)
	require.False(t, forgeable(genuine, points))
}

func forgeable(public []byte, points [][]byte) bool {
	for i := range 200 {
		for _, point := range points {
			signed := append(bytes.Clone(point), make([]byte, 32)...)
			if ed25519.Verify(public, []byte(strconv.Itoa(i)), signed) {
				return true
			}
		}
	}
	return false
}

// lowOrderPoints are those that the standard library decodes at all.
func lowOrderPoints(t *testing.T) [][]byte {
	t.Helper()
	var points [][]byte
	for _, text := range []string{
		strings.Repeat("00", 32), "01" + strings.Repeat("00", 31), "ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f", "ee" + strings.Repeat("ff", 30) + "7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		point, err := hex.DecodeString(text)
		require.NoError(t, err)
		negative := bytes.Clone(point)
		negative[31] |= 0x80
		points = append(points, point, negative)
	}
	return points
}

func FuzzStandardKeys(f *testing.F) {
	for _, seed := range []string{svixPublic, svixPrivate, secret, "whpk_", "whsec_", "", "whpk_" + strings.Repeat("A", 43) + "="} {
		f.Add(seed, svixSignature)
	}
	f.Fuzz(func(t *testing.T, value, signed string) {
		v := signature.NewStandard(func() time.Time { return time.Unix(svixAt, 0) }, signature.StandardHeaders())
		err := v.SetKeys([]string{value})
		if err != nil {
			if len(value) > 8 {
				require.NotContains(t, err.Error(), value)
			}
			return
		}
		_, err = v.Verify(headers(signature.StandardHeaders(), svixID, svixAt, signed), []byte(svixBody))
		if err == nil && strings.HasPrefix(value, "whpk_") {
			require.Contains(t, signed, svixSignature)
		}
	})
}

func standardVerifier(t *testing.T, secrets ...string) *signature.Svix {
	t.Helper()
	return with(t, signature.NewStandard(func() time.Time { return time.Unix(svixAt, 0) }, signature.StandardHeaders(), signature.SvixHeaders()), secrets...)
}

func standard() *signature.Svix {
	return signature.NewStandard(time.Now, signature.StandardHeaders())
}

// signEd25519 signs with Svix' private key.
func signEd25519(t *testing.T, id string, at int64, body string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(svixPrivate, "whsk_"))
	require.NoError(t, err)
	signed := ed25519.Sign(key, []byte(id+"."+strconv.FormatInt(at, 10)+"."+body))
	return "v1a," + base64.StdEncoding.EncodeToString(signed)
}
