package provider

import (
	"net/http"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// GatewayHookdeck is the only gateway whose signatures are known.
const GatewayHookdeck = "hookdeck"

const (
	// maxGatewayAge is how old a provider's signature may be on what a gateway has
	// kept and signed: a week of the gateway's retries.
	maxGatewayAge = 7 * 24 * time.Hour
	// MinGatewayRetention is how long deletions must be kept at least where there is
	// a gateway. It is longer than maxGatewayAge, so that what can be replayed is
	// always recognised.
	MinGatewayRetention = 8 * 24 * time.Hour
)

// Gateway is the scheme of a gateway between the providers and this server, which keeps
// deliveries and repeats them while this server is down. What it repeats has the
// provider's old signature. The gateway's makes up for the age and for nothing else: see
// docs/adr/0013-a-gateway-makes-up-for-the-age-alone.md. Without keys nothing is a
// gateway's.
func (r Registry) Gateway() *signature.Hookdeck { return r[0].gateway }

// CheckHeader refuses what can be refused before the body is read.
func (s *Spec) CheckHeader(h http.Header) error {
	err := s.Scheme.CheckHeader(h)
	if fault.ReasonOf(err) == fault.ReasonStale && s.gateway.HasKeys() && s.gateway.CheckHeader(h) == nil {
		return nil // the body decides
	}
	return err
}

// lateVerifier is a scheme that signs a time.
type lateVerifier interface {
	// VerifyLate is Verify for what was signed up to maxAge ago.
	VerifyLate(h http.Header, body []byte, maxAge time.Duration) (signature.Message, error)
}

// verify authenticates the raw bytes, and says what a gateway's signature was worth.
func (s *Spec) verify(h http.Header, body []byte) (signature.Message, deletion.GatewayCheck, error) {
	m, err := s.Scheme.Verify(h, body)
	late, timed := s.Scheme.(lateVerifier)
	stale := timed && fault.ReasonOf(err) == fault.ReasonStale
	if !s.gateway.HasKeys() || err != nil && !stale {
		return m, deletion.GatewayAbsent, err
	}
	_, refusal := s.gateway.Verify(h, body)
	switch {
	case fault.ReasonOf(refusal) == fault.ReasonMissingHeader:
		return m, deletion.GatewayAbsent, err
	case stale && refusal != nil:
		return m, deletion.GatewayAbsent, refusal
	case stale:
		m, err = late.VerifyLate(h, body, maxGatewayAge)
		return m, deletion.GatewayNeeded, err
	case refusal != nil:
		return m, deletion.GatewayMismatched, err
	}
	return m, deletion.GatewayMatched, err
}
