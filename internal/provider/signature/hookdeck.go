package signature

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// The headers of Hookdeck. The second one stands beside the first while the signing
// secret is being replaced.
const (
	hookdeckHeader         = "X-Hookdeck-Signature"
	hookdeckRotationHeader = "X-Hookdeck-Signature-2"
)

// Hookdeck is the scheme by which the gateway Hookdeck signs what it forwards:
// HMAC-SHA256 over the raw body in base64. Neither a time nor another header is
// signed, and not whose delivery it is, so it says no more than that the body came
// through the gateway.
// https://hookdeck.com/docs/authentication#hookdeck-webhook-signature-verification
type Hookdeck struct{ verifier }

// NewHookdeck returns the scheme. Keys are as TextKey takes them.
func NewHookdeck() *Hookdeck {
	return &Hookdeck{verifier{Keys[key]{parse: parseTextKey}, parseHookdeck}}
}

// Verify is as for every scheme; that no signature matches is said of the header.
func (g *Hookdeck) Verify(h http.Header, body []byte) (Message, error) {
	m, err := g.verifier.Verify(h, body)
	if fault.ReasonOf(err) == fault.ReasonBadSignature {
		err = refuseHeader(fault.ReasonBadSignature, hookdeckHeader, "is by no configured secret")
	}
	return m, err
}

func parseHookdeck(h http.Header, _ time.Duration) ([]claim, error) {
	names := []string{hookdeckHeader, hookdeckRotationHeader}
	if len(h.Values(hookdeckRotationHeader)) == 0 {
		names = names[:1]
	}
	var c claim
	for _, name := range names {
		value, err := single(h, name)
		if err != nil {
			return nil, err
		}
		if len(value) != base64.StdEncoding.EncodedLen(sha256.Size) {
			return nil, refuseHeader(fault.ReasonBadHeader, name, "has %d bytes", len(value))
		}
		mac, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil || len(mac) != sha256.Size {
			return nil, refuseHeader(fault.ReasonBadHeader, name, "is not a SHA-256 in base64")
		}
		c.macs = append(c.macs, mac)
	}
	return []claim{c}, nil
}
