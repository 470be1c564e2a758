package signature

import (
	"errors"
	"slices"
	"strings"
)

// NewHMACJWT returns a verifier of tokens that are signed with HMAC (RFC 7518
// section 3.2), at most limit bytes long. Keys are as TextKey takes them, and nothing
// that is public and was put there by mistake.
func NewHMACJWT(limit int) *JWT {
	return &JWT{Keys: Keys[jwtSource]{parse: parseHMACSource}, algorithms: hmacAlgorithms(), max: limit}
}

func hmacAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

// hmacSource is one key. Which one signed is tried, not told by the kid: that
// one names the key at the sender.
type hmacSource struct{ key jwtKey }

func (s hmacSource) find(string) ([]jwtKey, error) { return []jwtKey{s.key}, nil }

func (hmacSource) check() error { return nil }

func parseHMACSource(secret string) (jwtSource, error) {
	if err := checkHMACSecret(secret); err != nil {
		return nil, err
	}
	return hmacSource{jwtKey{key: []byte(secret), algorithms: hmacAlgorithms()}}, nil
}

// checkHMACSecret is TextKey, and refuses what everybody knows: an address or a
// public key in this place would let everybody sign. RFC 7518 section 3.2 demands
// a key as long as the digest; senders do not, so the bound is this program's own.
func checkHMACSecret(secret string) error {
	public := func(prefix string) bool { return strings.HasPrefix(secret, prefix) }
	if slices.ContainsFunc([]string{"https://", "http://", "-----BEGIN", "{", "ssh-"}, public) {
		return errors.New("must be the HMAC secret, not an address or a key of a pair")
	}
	_, err := TextKey(secret)
	return err
}
