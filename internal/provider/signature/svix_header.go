package signature

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Bounds on what strangers may send before anything is proven.
const (
	maxSvixID         = 256
	maxSvixSignature  = 8 << 10
	maxSvixSignatures = 64
	maxTimestamp      = 12 // decimal digits, until the year 33658
)

// svixVersion marks a symmetric signature; others are skipped, as the spec
// demands.
const svixVersion = "v1,"

// HeaderSet names the three headers of one brand of the scheme.
type HeaderSet struct {
	// ID is the header with the delivery's id, constant over retries.
	ID string
	// Timestamp is the header with the attempt's time in UNIX seconds.
	Timestamp string
	// Signature is the header with the signatures, separated by spaces.
	Signature string
}

// SvixHeaders returns the names that Svix and its customers send by default.
func SvixHeaders() HeaderSet {
	return HeaderSet{ID: "Svix-Id", Timestamp: "Svix-Timestamp", Signature: "Svix-Signature"}
}

// StandardHeaders returns the names of the Standard Webhooks specification.
func StandardHeaders() HeaderSet {
	return HeaderSet{ID: "Webhook-Id", Timestamp: "Webhook-Timestamp", Signature: "Webhook-Signature"}
}

func (s HeaderSet) names() []string { return []string{s.ID, s.Timestamp, s.Signature} }

// in says whether any header of the set is there.
func (s HeaderSet) in(h http.Header) bool {
	for _, name := range s.names() {
		if len(h.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// signed is what the headers of a delivery claim. Nothing of it is proven.
type signed struct {
	id        string
	timestamp string
	macs      [][]byte // of version v1
	ed25519   [][]byte // of version v1a
}

// parse returns what the header sets claim that are accepted and sound, at least
// one. Headers of other sets are nobody's business, and a gateway that signs again
// may leave the sender's set beside its own. The error is that of the first set.
func (s *Svix) parse(h http.Header) ([]signed, error) {
	var claims []signed
	var first error
	for _, set := range s.sets {
		if !set.in(h) {
			continue
		}
		m, err := s.parseSet(h, set)
		if err == nil {
			claims = append(claims, m)
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
func (s *Svix) parseSet(h http.Header, set HeaderSet) (signed, error) {
	var value [3]string
	for i, name := range set.names() {
		var err error
		if value[i], err = single(h, name); err != nil {
			return signed{}, err
		}
	}
	m := signed{id: value[0], timestamp: value[1]}
	if err := checkID(set.ID, m.id); err != nil {
		return signed{}, err
	}
	if err := (stamp{set.Timestamp, time.Second, maxTimestamp, svixTolerance}).check(m.timestamp, s.now()); err != nil {
		return signed{}, err
	}
	return s.parseSignatures(m, set.Signature, value[2])
}

// checkID refuses dots because the signed text is "id.timestamp.body": with one
// in the id the same signature would fit another id and timestamp. The
// specification forbids them as well.
func checkID(name, id string) error {
	if id == "" || len(id) > maxSvixID {
		return refuseHeader(fault.ReasonBadHeader, name, "has %d bytes", len(id))
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || c == '.' {
			return refuseHeader(fault.ReasonBadHeader, name, "has a character that ids do not have")
		}
	}
	return nil
}

// parseSignatures adds the decoded signatures of the versions that are taken.
func (s *Svix) parseSignatures(m signed, name, header string) (signed, error) {
	if len(header) > maxSvixSignature {
		return signed{}, refuseHeader(fault.ReasonBadHeader, name, "has %d bytes", len(header))
	}
	entries := strings.Split(header, " ")
	if len(entries) > maxSvixSignatures {
		return signed{}, refuseHeader(fault.ReasonBadHeader, name, "has more than %d signatures", maxSvixSignatures)
	}
	m.macs = decodeSignatures(entries, svixVersion, sha256.Size)
	if s.asymmetric {
		var err error
		if m.ed25519, err = parseEd25519(name, entries); err != nil {
			return signed{}, err
		}
	}
	if len(m.macs)+len(m.ed25519) == 0 {
		return signed{}, refuseHeader(fault.ReasonBadSignature, name, "has no signature of a known version")
	}
	return m, nil
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
