package signature

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math"
	"math/big"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a key set and its RSA keys. Shorter ones can be forged
// (RFC 7518 section 3.3), longer ones make every signature costly to check.
const (
	maxKeys    = 100
	minRSABits = 2048
	maxRSABits = 8192
)

var errKeyUnusable = errors.New("key cannot be used")

// jwk is a public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
type jwk struct {
	Type       string   `json:"kty"`
	KeyID      string   `json:"kid"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	Curve      string   `json:"crv"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`

	// Private keys are not for publication: one that is here anyway is
	// everybody's.
	D jsontext.Value `json:"d"`
}

// parseKeySet returns the keys that may verify any of the algorithms, by their
// kid. Other keys are left out (RFC 7517 section 5); none at all is an error.
func parseKeySet(body []byte, algorithms []string) (map[string][]jwtKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("answer is not a JSON key set")
	}
	keys := map[string][]jwtKey{}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || k.KeyID == "" || k.D != nil {
			continue
		}
		if key, err := k.parse(algorithms); err == nil {
			keys[k.KeyID] = append(keys[k.KeyID], key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("answer has no key that can be used")
	}
	return keys, nil
}

// parse returns the key with those of the algorithms that fit its type and what
// it says of itself (RFC 8725 section 3.1). A symmetric key ("oct") is no public key
// and verifies nothing.
func (k jwk) parse(algorithms []string) (parsed jwtKey, err error) {
	if k.Use != "" && k.Use != "sig" || k.Operations != nil && !slices.Contains(k.Operations, "verify") {
		return jwtKey{}, errKeyUnusable
	}
	kind := k.Type
	if kind != "RSA" {
		kind += " " + k.Curve
	}
	switch kind {
	case "RSA":
		parsed.algorithms = []string{"RS256", "RS384", "RS512"}
		parsed.key, err = k.rsa()
	case "EC P-256":
		parsed.algorithms = []string{"ES256"}
		parsed.key, err = k.ecdsa(elliptic.P256())
	case "EC P-384":
		parsed.algorithms = []string{"ES384"}
		parsed.key, err = k.ecdsa(elliptic.P384())
	case "EC P-521":
		parsed.algorithms = []string{"ES512"}
		parsed.key, err = k.ecdsa(elliptic.P521())
	case "OKP Ed25519":
		parsed.algorithms = []string{"EdDSA"}
		parsed.key, err = k.ed25519()
	}
	parsed.algorithms = slices.DeleteFunc(parsed.algorithms, func(alg string) bool {
		return !slices.Contains(algorithms, alg) || k.Algorithm != "" && k.Algorithm != alg
	})
	if err == nil && len(parsed.algorithms) == 0 {
		err = errKeyUnusable
	}
	return parsed, err
}

func (k jwk) rsa() (*rsa.PublicKey, error) {
	n, errN := decodeSegment(k.N)
	e, errE := decodeSegment(k.E)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSABits || bits > maxRSABits {
		return nil, errKeyUnusable
	}
	if exponent.Cmp(big.NewInt(3)) < 0 || exponent.Cmp(big.NewInt(math.MaxInt32)) > 0 || exponent.Bit(0) == 0 {
		return nil, errKeyUnusable
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func (k jwk) ecdsa(curve elliptic.Curve) (*ecdsa.PublicKey, error) {
	x, errX := decodeSegment(k.X)
	y, errY := decodeSegment(k.Y)
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	// Both have the curve's full length (RFC 7518 section 6.2.1.2).
	if size := (curve.Params().BitSize + 7) / 8; len(x) != size || len(y) != size {
		return nil, errKeyUnusable
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

func (k jwk) ed25519() (ed25519.PublicKey, error) {
	x, err := decodeSegment(k.X)
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize || lowOrder(x) {
		return nil, errKeyUnusable
	}
	return x, nil
}
