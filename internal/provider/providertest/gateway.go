package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// The secrets that the suite's gateway signs with, and one that nobody configured.
const (
	gatewaySecret    = "gateway-secret-0123456789abcdef"
	oldGatewaySecret = "gateway-secret-of-last-year-01"
	foreignSecret    = "gateway-secret-of-somebody-else"
)

const gatewayHeader = "X-Hookdeck-Signature"

// GatewaySignature is how Hookdeck signs a body.
func GatewaySignature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// forwarded is a delivery's header as the gateway leaves it.
func forwarded(header http.Header, signatures ...string) http.Header {
	header = header.Clone()
	for i, name := range []string{gatewayHeader, gatewayHeader + "-2"}[:len(signatures)] {
		header.Set(name, signatures[i])
	}
	return header
}

// behindGateway requires that the gateway's signature makes up for the age of the
// provider's, up to a week, and for nothing else.
func (h *Harness) behindGateway(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now())
	signature := GatewaySignature(gatewaySecret, body)
	t.Run("the provider's signature is enough by itself", func(t *testing.T) {
		t.Parallel()
		for signature, want := range map[string]deletion.GatewayCheck{
			signature: deletion.GatewayMatched, GatewaySignature(foreignSecret, body): deletion.GatewayMismatched, "nonsense": deletion.GatewayMismatched,
		} {
			d := h.accepted(t, p, forwarded(header, signature), body)
			require.Equal(t, want, d.Gateway)
			require.Equal(t, now(), d.Deletions[0].OccurredAt)
		}
		require.Equal(t, deletion.GatewayAbsent, h.accepted(t, p, header, body).Gateway)
	})
	t.Run("the gateway's is not", func(t *testing.T) {
		t.Parallel()
		forged, forgedBody := h.good(t, h.other(), now())
		h.refused(t, p, forwarded(forged, GatewaySignature(gatewaySecret, forgedBody)), forgedBody, h.mismatch(t))
		_, err := p.Receive(forwarded(http.Header{}, GatewaySignature(gatewaySecret, forgedBody)), forgedBody)
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	})
	if !p.Timestamped {
		t.Run("a delivery never gets too old", func(t *testing.T) {
			t.Parallel()
			old, body := h.good(t, h.secret(), now().Add(-365*24*time.Hour))
			h.accepted(t, p, old, body)
			require.Equal(t, deletion.GatewayMatched, h.accepted(t, p, forwarded(old, GatewaySignature(gatewaySecret, body)), body).Gateway)
		})
		return
	}
	t.Run("late", h.late)
}

func (h *Harness) late(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	p := h.provider(t)
	for _, age := range []time.Duration{6 * time.Minute, time.Hour, week} {
		header, body := h.good(t, h.secret(), now().Add(-age))
		signature, foreign := GatewaySignature(gatewaySecret, body), GatewaySignature(foreignSecret, body)
		old := GatewaySignature(oldGatewaySecret, body)
		for _, signatures := range [][]string{{signature}, {old}, {foreign, old}, {signature, foreign}} {
			d := h.accepted(t, p, forwarded(header, signatures...), body)
			require.Equal(t, deletion.GatewayNeeded, d.Gateway)
			require.Equal(t, externalID, d.Deletions[0].ExternalID)
			require.Equal(t, now().Add(-age), d.Deletions[0].OccurredAt, "and not when it came")
		}
		h.refused(t, p, header, body, fault.ReasonStale)
		for _, bad := range []string{foreign, GatewaySignature(h.secret(), body), GatewaySignature(gatewaySecret, nil)} {
			h.refused(t, p, forwarded(header, bad), body, fault.ReasonBadSignature)
		}
		for _, bad := range []string{"", signature + "=", signature[1:], strings.ToLower(signature) + " ", signature[:43] + "!", signature + ", " + signature, strings.Repeat("A", 1<<20)} {
			h.refusedLate(t, p, forwarded(header, bad), body)
			h.refusedLate(t, p, forwarded(header, signature, bad), body)
		}
		repeated := forwarded(header, signature)
		repeated.Add(gatewayHeader, signature)
		h.refusedLate(t, p, repeated, body)

		changed := append([]byte(nil), body...)
		changed[len(changed)/2] ^= 1
		h.refused(t, p, forwarded(header, signature), changed, fault.ReasonBadSignature)
		h.refused(t, p, forwarded(header, GatewaySignature(gatewaySecret, changed)), changed, fault.ReasonBadSignature)
		forged, forgedBody := h.good(t, h.other(), now().Add(-age))
		h.refused(t, p, forwarded(forged, GatewaySignature(gatewaySecret, forgedBody)), forgedBody, fault.ReasonBadSignature)
	}
	header, body := h.good(t, h.secret(), now().Add(-week-time.Second))
	_, err := p.Receive(forwarded(header, GatewaySignature(gatewaySecret, body)), body)
	require.Equal(t, fault.ReasonStale, fault.ReasonOf(err), "older than a week")
	header, body = h.good(t, h.secret(), now().Add(6*time.Minute))
	h.refused(t, p, forwarded(header, GatewaySignature(gatewaySecret, body)), body, fault.ReasonFuture)

	t.Run("without a gateway in the settings its signature is nothing", func(t *testing.T) {
		t.Parallel()
		without := h.with(t, h.secret())
		require.NoError(t, provider.Registry{without}.Gateway().SetKeys(nil))
		header, body := h.good(t, h.secret(), now().Add(-time.Hour))
		h.refused(t, without, forwarded(header, GatewaySignature(gatewaySecret, body)), body, fault.ReasonStale)
	})
}

// refusedLate requires that a gateway's header out of form is refused before the body
// is read.
func (h *Harness) refusedLate(t *testing.T, p *provider.Spec, header http.Header, body []byte) {
	t.Helper()
	d, err := p.Receive(header, body)
	require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	h.check(t, d, err)
	require.Equal(t, fault.ReasonStale, fault.ReasonOf(p.CheckHeader(header)))
}
