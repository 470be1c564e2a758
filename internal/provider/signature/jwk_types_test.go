package signature_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// published is a key as an issuer publishes it, with a token that it signed.
type published struct {
	members map[string]any
	token   string
}

func encodeSegment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func publish(t *testing.T, method jwt.SigningMethod, private any, members map[string]any) published {
	t.Helper()
	members["kid"] = "k"
	token := jwt.NewWithClaims(method, jwt.MapClaims{"a": 1})
	token.Header["kid"] = "k"
	text, err := token.SignedString(private)
	require.NoError(t, err)
	return published{members, text}
}

func publishEC(t *testing.T, curve elliptic.Curve, method jwt.SigningMethod) published {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes() // 4, x, y
	require.NoError(t, err)
	x, y := point[1:len(point)/2+1], point[len(point)/2+1:]
	return publish(t, method, key, map[string]any{
		"kty": "EC", "crv": curve.Params().Name, "x": encodeSegment(x), "y": encodeSegment(y),
	})
}

func publishEd25519(t *testing.T) published {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return publish(t, jwt.SigningMethodEdDSA, private, map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encodeSegment(public)})
}

// segment is what the member holds, decoded.
func (p published) segment(t *testing.T, member string) string {
	t.Helper()
	text, isText := p.members[member].(string)
	require.True(t, isText, member)
	return decode(t, text)
}

// with is the key with other members.
func (p published) with(changes map[string]any) published {
	members := maps.Clone(p.members)
	maps.Copy(members, changes)
	return published{members, p.token}
}

// verifier takes every algorithm that there is a type of key for.
func (p published) verifier(t *testing.T) *signature.JWT {
	t.Helper()
	set, err := json.Marshal(map[string]any{"keys": []any{p.members}})
	require.NoError(t, err)
	issuer := newIssuer(set)
	options := issuer.options()
	options.Algorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"}
	return with(t, signature.NewIssuerJWT(options), issuerAddress)
}

func TestKeysOnACurve(t *testing.T) {
	t.Parallel()
	for curve, method := range map[elliptic.Curve]jwt.SigningMethod{
		elliptic.P256(): jwt.SigningMethodES256, elliptic.P384(): jwt.SigningMethodES384, elliptic.P521(): jwt.SigningMethodES512,
	} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			t.Parallel()
			key := publishEC(t, curve, method)
			requireVerified(t, key.verifier(t), key.token)
			x, y := key.segment(t, "x"), key.segment(t, "y")
			for what, changes := range map[string]map[string]any{
				"x is not base64url":     {"x": "a+b"},
				"y is not base64url":     {"y": "a+b"},
				"x has a zero before it": {"x": encodeSegment([]byte("\x00" + x))},
				"y has a zero before it": {"y": encodeSegment([]byte("\x00" + y))},
				"x is a byte short":      {"x": encodeSegment([]byte(x[1:]))},
				"y is a byte short":      {"y": encodeSegment([]byte(y[1:]))},
				// The point has the length of two coordinates all the same.
				"a byte of x stands in y": {"x": encodeSegment([]byte(x[:len(x)-1])), "y": encodeSegment([]byte(x[len(x)-1:] + y))},
				"a byte of y stands in x": {"x": encodeSegment([]byte(x + y[:1])), "y": encodeSegment([]byte(y[1:]))},
				"not on the curve":        {"x": encodeSegment([]byte(y)), "y": encodeSegment([]byte(x))},
				"no x":                    {"x": ""},
				"another curve":           {"crv": "secp256k1"},
				"another type":            {"kty": "OKP"},
				"another algorithm":       {"alg": "RS256"},
			} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					requireUnavailable(t, key.with(changes).verifier(t), key.token)
				})
			}
		})
	}
	t.Run("Ed25519", func(t *testing.T) {
		t.Parallel()
		key := publishEd25519(t)
		requireVerified(t, key.verifier(t), key.token)
		x := key.segment(t, "x")
		for _, changes := range []map[string]any{
			{"x": "a+b"},
			{"x": encodeSegment([]byte(x[1:]))},
			{"x": encodeSegment([]byte("\x00" + x))},
			{"x": encodeSegment(make([]byte, ed25519.PublicKeySize))}, // of low order: anybody can sign
			{"crv": "Ed448"},
			{"crv": "X25519"},
			{"kty": "EC"},
		} {
			requireUnavailable(t, key.with(changes).verifier(t), key.token)
		}
	})
}

// What is just within the bounds is a key. That it did not sign the token shows
// that it is known.
func TestRSAKeysAtTheirBounds(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(key.set, &set))
	longest := new(big.Int).Lsh(big.NewInt(1), 8191)
	longest.SetBit(longest, 0, 1)
	for name, changes := range map[string]map[string]any{
		"a modulus of 8192 bits": {"n": encodeSegment(longest.Bytes())},
		"exponent 3":             {"e": encodeSegment([]byte{3})},
		"exponent 2^31 - 1":      {"e": encodeSegment(big.NewInt(math.MaxInt32).Bytes())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := published{set.Keys[0], key.token}.with(changes).verifier(t).VerifyToken(key.token)
			require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err))
		})
	}
	_, err := published{set.Keys[0], key.token}.with(map[string]any{"e": encodeSegment(big.NewInt(math.MaxInt32 + 2).Bytes())}).verifier(t).VerifyToken(key.token)
	require.Equal(t, fault.ReasonKeys, fault.ReasonOf(err))
}
