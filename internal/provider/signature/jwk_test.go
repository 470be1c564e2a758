package signature_test

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Every member of a key is changed so that it must not be used; what else the
// token needs is right.
func TestKeysThatAreNotUsed(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	change := func(changes map[string]any) string {
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		require.NoError(t, json.Unmarshal(key.set, &set))
		for name, value := range changes {
			set.Keys[0][name] = value
			if value == nil {
				delete(set.Keys[0], name)
			}
		}
		text, err := json.Marshal(set)
		require.NoError(t, err)
		return string(text)
	}
	encode := base64.RawURLEncoding.EncodeToString
	for name, changes := range map[string]map[string]any{
		"as it is":                    {},
		"without a use":               {"use": nil, "alg": nil},
		"to verify":                   {"key_ops": []string{"verify"}},
		"with members that it ignore": {"x5c": []string{"nonsense"}, "x5u": "https://attacker.example.com", "ext": true},
	} {
		t.Run("used: "+name, func(t *testing.T) {
			t.Parallel()
			requireVerified(t, newIssuer([]byte(change(changes))).verifier(t), key.token)
		})
	}
	for name, changes := range map[string]map[string]any{
		"no kid":                  {"kid": nil},
		"another kid":             {"kid": "a"},
		"no type":                 {"kty": nil},
		"another type":            {"kty": "oct"},
		"type in another case":    {"kty": "rsa"},
		"an EC key":               {"kty": "EC", "crv": "P-256"},
		"to encrypt":              {"use": "enc"},
		"to sign only":            {"key_ops": []string{"sign"}},
		"for nothing":             {"key_ops": []string{}},
		"another algorithm":       {"alg": "RS512"},
		"an algorithm not taken":  {"alg": "PS256"},
		"a private key":           {"d": "AQAB"},
		"no modulus":              {"n": nil},
		"a modulus of 1024 bits":  {"n": encode(rsaKey(t, 1024).N.Bytes())},
		"a modulus of 8193 bits":  {"n": encode(new(big.Int).Lsh(big.NewInt(1), 8192).Bytes())},
		"a modulus with padding":  {"n": "AQ=="},
		"a modulus that is a bit": {"n": 5},
		"no exponent":             {"e": nil},
		"exponent 1":              {"e": encode([]byte{1})},
		"exponent 2":              {"e": encode([]byte{2})},
		"an even exponent":        {"e": encode([]byte{1, 0, 0})},
		"a huge exponent":         {"e": encode([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1})},
	} {
		t.Run("not used: "+name, func(t *testing.T) {
			t.Parallel()
			_, err := newIssuer([]byte(change(changes))).verifier(t).VerifyToken(key.token)
			if name == "another kid" {
				require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err))
				return
			}
			require.Equal(t, fault.ReasonKeys, fault.ReasonOf(err), "no key is left")
		})
	}
	t.Run("beside others", func(t *testing.T) {
		t.Parallel()
		inner := strings.TrimSuffix(strings.TrimPrefix(string(key.set), `{"keys":[`), `]}`)
		beside := `{"keys":[null,5,{},{"kty":"EC"},{"kty":"new","kid":"a"},` + inner + `]}`
		requireVerified(t, newIssuer([]byte(beside)).verifier(t), key.token)
		many := `{"keys":[` + strings.Repeat(`{},`, 100) + inner + `]}`
		requireUnavailable(t, newIssuer([]byte(many)).verifier(t), key.token)
	})
}

func FuzzKeySet(f *testing.F) {
	key := newSigner(f)
	f.Add(key.set)
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AA","y":"AA"},{"kty":"RSA","kid":"a","n":"AA","e":"AA"}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		if _, err := newIssuer(set).verifier(t).VerifyToken(key.token); err != nil {
			require.Contains(t, []fault.Kind{fault.Unauthenticated, fault.Unavailable}, fault.KindOf(err))
		}
	})
}
