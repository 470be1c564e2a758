package signature

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// svixTolerance is how far a timestamp may lie from now, both ways, as in the
// official libraries.
const svixTolerance = 5 * time.Minute

// minKey is the shortest HMAC key that is accepted, in bytes. Svix asks for 24,
// but its own documentation's vector has 18.
const minKey = 16

// svixPrefix marks a symmetric secret.
const svixPrefix = "whsec_"

// Svix is the scheme of Standard Webhooks: signatures of version v1, HMAC-SHA256,
// and when NewStandard made it, of version v1a as well.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Svix struct {
	Keys[svixKey]

	now        func() time.Time
	sets       []HeaderSet
	asymmetric bool // take version v1a
}

// svixKey checks the signatures of its own version and no others: a public key,
// which is no secret, must never serve as an HMAC key.
type svixKey interface {
	// matches says whether any signature is the key's own for the delivery.
	matches(m signed, body []byte) bool
}

// NewSvix returns the scheme for deliveries whose headers are one of the sets. A key
// is at least 16 bytes in base64. Deliveries are signed under the first set.
func NewSvix(now func() time.Time, sets ...HeaderSet) *Svix {
	return &Svix{Keys: Keys[svixKey]{parse: hmacKey}, now: now, sets: sets}
}

// Verify returns the message of a delivery whose headers are sound and whose body
// carries a signature by any of the keys. The id belongs to the header set that
// was verified, so it may serve as the idempotency key.
func (s *Svix) Verify(h http.Header, body []byte) (Message, error) {
	claims, err := s.parse(h)
	if err != nil {
		return Message{}, err
	}
	for _, m := range claims {
		for _, key := range s.current() {
			if key.matches(m, body) {
				return Message{ID: m.id, Payload: body}, nil
			}
		}
	}
	return Message{}, refuse(fault.ReasonBadSignature, "no signature matches")
}

// CheckHeader reports what can be said against a delivery before its body is
// read: headers that are missing, repeated or out of form, and its age.
func (s *Svix) CheckHeader(h http.Header) error {
	_, err := s.parse(h)
	return err
}

// Sign returns a delivery that is signed with secret. With a public key for a
// secret it fails.
func (s *Svix) Sign(secret, id string, at time.Time, body []byte) (http.Header, []byte, error) {
	if s.asymmetric && strings.HasPrefix(secret, publicPrefix) {
		return nil, nil, errors.New("a public key (" + publicPrefix + ") can only verify: who signs needs a secret, " + svixPrefix + "…")
	}
	h, err := SvixHeader(s.sets[0], secret, id, at, body)
	return h, body, err
}

// SvixKey decodes a secret, with or without its prefix and its padding: consoles
// show either. Errors follow a setting's name and never show the secret.
// https://github.com/standard-webhooks/standard-webhooks/pull/265
func SvixKey(secret string) ([]byte, error) {
	encoded := strings.TrimPrefix(secret, svixPrefix)
	// The decoder skips line breaks; a secret that holds one was pasted wrongly.
	if strings.ContainsAny(encoded, "\r\n") {
		return nil, errSeveralLines
	}
	key, err := decodeKey(encoded)
	if err != nil {
		return nil, errors.New("must be base64, with or without " + svixPrefix + " before it, as the provider's console shows it")
	}
	if len(key) < minKey {
		return nil, errKeyLength
	}
	return key, nil
}

// decodeKey decodes base64 whether it is padded or not.
func decodeKey(encoded string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
}

// What keys of several schemes are refused for. The texts follow a setting's name.
var (
	errSeveralLines = errors.New("must be one value on one line")
	errKeyLength    = fmt.Errorf("must hold a key of at least %d bytes", minKey)
)

// symmetricKey verifies version v1.
type symmetricKey []byte

func hmacKey(secret string) (svixKey, error) {
	key, err := SvixKey(secret)
	if err != nil {
		return nil, err
	}
	return symmetricKey(key), nil
}

func (k symmetricKey) matches(m signed, body []byte) bool {
	want := svixMAC(k, m.id, m.timestamp, body)
	return slices.ContainsFunc(m.macs, func(mac []byte) bool { return hmac.Equal(mac, want) })
}

// SvixSign returns the signature of a delivery, "v1,…".
func SvixSign(key []byte, id string, at time.Time, body []byte) string {
	mac := svixMAC(key, id, strconv.FormatInt(at.Unix(), 10), body)
	return svixVersion + base64.StdEncoding.EncodeToString(mac)
}

// SvixHeader returns the headers of a delivery that is signed with secret.
func SvixHeader(set HeaderSet, secret, id string, at time.Time, body []byte) (http.Header, error) {
	key, err := SvixKey(secret)
	if err != nil {
		return nil, err
	}
	h := jsonHeader(set.ID, id)
	h.Set(set.Timestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(set.Signature, SvixSign(key, id, at, body))
	return h, nil
}

func svixMAC(key []byte, id, timestamp string, body []byte) []byte {
	return hmacSum(key, []byte(id+"."+timestamp+"."), body)
}
