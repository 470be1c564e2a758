package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// svixTolerance is how far a timestamp may lie from now, both ways, as in the
// official libraries.
const svixTolerance = 5 * time.Minute

// Bounds on what strangers may send before anything is proven.
const (
	maxSvixID         = 256
	maxSvixSignature  = 8 << 10
	maxSvixSignatures = 64
	maxTimestamp      = 12 // decimal digits, until the year 33658
)

// What marks a symmetric secret and a symmetric signature. Signatures of other
// versions are skipped, as the spec demands.
const (
	svixPrefix  = "whsec_"
	svixVersion = "v1,"
)

// Svix is the scheme of Standard Webhooks: signatures of version v1, HMAC-SHA256,
// and when NewStandard made it, of version v1a as well.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
type Svix struct {
	verifier

	now        func() time.Time
	sets       []HeaderSet
	asymmetric bool // take version v1a
}

// HeaderSet names the three headers of one brand of the scheme.
type HeaderSet struct {
	ID        string // the header with the delivery's id, constant over retries
	Timestamp string // the header with the attempt's time in UNIX seconds
	Signature string // the header with the signatures, separated by spaces
}

// SvixHeaders returns the names that Svix and its customers send by default.
func SvixHeaders() HeaderSet {
	return HeaderSet{ID: "Svix-Id", Timestamp: "Svix-Timestamp", Signature: "Svix-Signature"}
}

// StandardHeaders returns the names of the Standard Webhooks specification.
func StandardHeaders() HeaderSet {
	return HeaderSet{ID: "Webhook-Id", Timestamp: "Webhook-Timestamp", Signature: "Webhook-Signature"}
}

// NewSvix returns the scheme for deliveries whose headers are one of the sets. A key
// is at least 16 bytes in base64. Deliveries are signed under the first set.
func NewSvix(now func() time.Time, sets ...HeaderSet) *Svix {
	return newSvix(now, sets, parseSvixKey)
}

func newSvix(now func() time.Time, sets []HeaderSet, parseKey func(secret string) (key, error)) *Svix {
	s := &Svix{now: now, sets: sets}
	s.verifier = verifier{Keys[key]{parse: parseKey}, s.parse}
	return s
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
		return nil, errors.New("must be one value on one line")
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

func parseSvixKey(secret string) (key, error) {
	k, err := SvixKey(secret)
	return hmacKey(k), err
}

// SvixSign returns the signature of a delivery, "v1,…".
func SvixSign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmacSum(key, []byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body)
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

// parse returns what the header sets claim that are accepted and sound, at least
// one. Headers of other sets are nobody's business, and a gateway that signs again
// may leave the sender's set beside its own. The error is that of the first set.
func (s *Svix) parse(h http.Header, maxAge time.Duration) ([]claim, error) {
	var claims []claim
	var first error
	for _, set := range s.sets {
		if len(h.Values(set.ID))+len(h.Values(set.Timestamp))+len(h.Values(set.Signature)) == 0 {
			continue
		}
		c, err := s.parseSet(h, set, maxAge)
		if err == nil {
			claims = append(claims, c)
		} else if first == nil {
			first = err
		}
	}
	switch {
	case len(claims) > 0:
		return claims, nil
	case first != nil:
		return nil, first
	}
	return nil, refuseHeader(fault.ReasonMissingHeader, s.sets[0].ID, "is missing")
}

// parseSet reads one header set and checks its form and age.
func (s *Svix) parseSet(h http.Header, set HeaderSet, maxAge time.Duration) (claim, error) {
	var values [3]string
	for i, name := range []string{set.ID, set.Timestamp, set.Signature} {
		var err error
		if values[i], err = single(h, name); err != nil {
			return claim{}, err
		}
	}
	id, timestamp, signatures := values[0], values[1], values[2]
	if id == "" || len(id) > maxSvixID {
		return claim{}, refuseHeader(fault.ReasonBadHeader, set.ID, "has %d bytes", len(id))
	}
	// The signed text is "id.timestamp.body": with a dot in the id the same signature
	// would fit another id and timestamp. The specification forbids them as well.
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '.' }) {
		return claim{}, refuseHeader(fault.ReasonBadHeader, set.ID, "has a character that ids do not have")
	}
	at, err := (stamp{set.Timestamp, time.Second, maxTimestamp, svixTolerance, maxAge}).check(timestamp, s.now())
	if err != nil {
		return claim{}, err
	}
	c := claim{id: id, at: at, before: id + "." + timestamp + "."}
	c.macs, c.ed25519, err = s.parseSignatures(set.Signature, signatures)
	return c, err
}

// parseSignatures decodes the signatures of the versions that are taken.
func (s *Svix) parseSignatures(name, header string) (macs, asymmetric [][]byte, err error) {
	if len(header) > maxSvixSignature {
		return nil, nil, refuseHeader(fault.ReasonBadHeader, name, "has %d bytes", len(header))
	}
	entries := strings.Split(header, " ")
	if len(entries) > maxSvixSignatures {
		return nil, nil, refuseHeader(fault.ReasonBadHeader, name, "has more than %d signatures", maxSvixSignatures)
	}
	macs = decodeSignatures(entries, svixVersion, sha256.Size)
	if s.asymmetric {
		asymmetric = decodeSignatures(entries, ed25519Version, ed25519.SignatureSize)
	}
	switch {
	case len(asymmetric) > maxEd25519Signatures:
		return nil, nil, refuseHeader(fault.ReasonBadHeader, name, "has more than %d signatures of version v1a", maxEd25519Signatures)
	case len(macs)+len(asymmetric) == 0:
		return nil, nil, refuseHeader(fault.ReasonBadSignature, name, "has no signature of a known version")
	}
	return macs, asymmetric, nil
}

// decodeSignatures returns those of one version. What stands behind a second comma
// is no part of an entry: some senders put ", " between entries instead of a blank,
// and the official libraries read that in the same way. Entries that do not decode
// cannot match and are left out, like unknown versions.
func decodeSignatures(entries []string, version string, size int) [][]byte {
	var signatures [][]byte
	for _, entry := range entries {
		encoded, ok := strings.CutPrefix(entry, version)
		if !ok {
			continue
		}
		encoded, _, _ = strings.Cut(encoded, ",")
		if signature, err := base64.StdEncoding.Strict().DecodeString(encoded); err == nil && len(signature) == size {
			signatures = append(signatures, signature)
		}
	}
	return signatures
}
