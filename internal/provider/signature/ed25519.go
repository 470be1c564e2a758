package signature

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The prefixes of an asymmetric key pair.
const (
	publicPrefix  = "whpk_"
	privatePrefix = "whsk_"
)

// ed25519Version marks an asymmetric signature.
const ed25519Version = "v1a,"

// maxEd25519Signatures bounds what strangers can make a delivery cost: each
// check hashes the whole body once more. A rotation takes two.
const maxEd25519Signatures = 8

// NewStandard returns the scheme with all of Standard Webhooks: besides the secrets
// that NewSvix takes, public keys, "whpk_…", which verify signatures of version
// v1a, ed25519. Each key verifies signatures of its own version only.
func NewStandard(now func() time.Time, sets ...HeaderSet) *Svix {
	s := newSvix(now, sets, parseStandardKey)
	s.asymmetric = true
	return s
}

// parseStandardKey tells the kinds of keys apart by their prefix.
func parseStandardKey(secret string) (key, error) {
	encoded, public := strings.CutPrefix(secret, publicPrefix)
	switch {
	case strings.HasPrefix(secret, privatePrefix):
		return nil, errors.New("must be the sender's public key, " + publicPrefix + "…, and never its private key, " + privatePrefix + "…")
	case !public:
		return parseSvixKey(secret)
	}
	// The decoder skips line breaks, see SvixKey.
	k, err := decodeKey(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(k) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("must hold %d bytes in base64 after %s", ed25519.PublicKeySize, publicPrefix)
	}
	if lowOrder(k) {
		return nil, errors.New("must not be a placeholder: anybody can sign for this public key")
	}
	return publicKey(k), nil
}

// publicKey verifies version v1a.
type publicKey ed25519.PublicKey

func (k publicKey) matches(c claim, body []byte) bool {
	if len(c.ed25519) == 0 {
		return false
	}
	message := slices.Concat([]byte(c.before), body)
	return slices.ContainsFunc(c.ed25519, func(signature []byte) bool {
		return ed25519.Verify(ed25519.PublicKey(k), message, signature)
	})
}

// lowOrder says whether a public key is one of the few for which signatures can
// be made without a private key, such as 32 zero bytes. crypto/ed25519 takes
// them: keys are its caller's to trust. The last byte's top bit is a sign.
func lowOrder(key []byte) bool {
	unsigned := slices.Clone(key)
	unsigned[len(unsigned)-1] &= 0x7f
	return slices.Contains(lowOrderKeys(), hex.EncodeToString(unsigned))
}

// lowOrderKeys lists the encodings, without sign, of the points whose order
// divides 8: 0, 1, both of order 8, and -1, 0 and 1 once more beyond the field.
// https://github.com/jedisct1/libsodium/blob/master/src/libsodium/crypto_core/ed25519/ref10/ed25519_ref10.c (ge25519_has_small_order)
func lowOrderKeys() []string {
	ff := strings.Repeat("ff", 30)
	return []string{
		strings.Repeat("00", 32),
		"01" + strings.Repeat("00", 31),
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ec" + ff + "7f",
		"ed" + ff + "7f",
		"ee" + ff + "7f",
	}
}
