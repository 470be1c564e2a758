package providertest

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

func (h *Harness) scheme(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now())
	t.Run("no mutation of the body passes", func(t *testing.T) {
		t.Parallel()
		if len(h.headers(t)) == 0 {
			h.mutations(t, header, body)
			return
		}
		for i := range body {
			for _, bit := range []byte{0x01, 0x20, 0x80} {
				changed := bytes.Clone(body)
				changed[i] ^= bit
				h.refused(t, p, header, changed, fault.ReasonBadSignature)
			}
			h.refused(t, p, header, body[:i], fault.ReasonBadSignature)
			h.refused(t, p, header, append(body[:i:i], body[i+1:]...), fault.ReasonBadSignature)
		}
		h.refused(t, p, header, append(bytes.Clone(body), '\n'), fault.ReasonBadSignature)
		h.refused(t, p, header, nil, fault.ReasonBadSignature)
	})
	if h.description.Tolerance != "" {
		t.Run("the time may be off by the tolerance, both ways", h.schemeAge)
	}
}

func (h *Harness) schemeAge(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	limit, unit := duration(t, h.description.Tolerance), duration(t, h.description.Unit)
	for _, off := range []time.Duration{-limit, 0, limit} {
		header, body := h.good(t, h.secret(), now().Add(off))
		h.accepted(t, p, header, body)
	}
	for off, reason := range map[time.Duration]fault.Reason{
		-limit - unit: fault.ReasonStale, -24 * time.Hour: fault.ReasonStale,
		limit + unit: fault.ReasonFuture, 24 * time.Hour: fault.ReasonFuture,
	} {
		header, body := h.good(t, h.secret(), now().Add(off))
		h.refused(t, p, header, body, reason)
	}
}

// mutations requires that no other body passes than the genuine one, when the
// body is what authenticates: then the reason depends on what is broken.
func (h *Harness) mutations(t *testing.T, header http.Header, body []byte) {
	t.Helper()
	p := h.provider(t)
	refused := func(changed []byte) {
		d, err := p.Receive(header, changed)
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		h.check(t, d, err)
	}
	for i := range body {
		for _, bit := range []byte{0x01, 0x02, 0x20, 0x80} {
			changed := bytes.Clone(body)
			changed[i] ^= bit
			refused(changed)
		}
		refused(body[:i])
		refused(append(body[:i:i], body[i+1:]...))
	}
	for _, space := range []string{"\n", "\r\n", " ", "\t"} {
		h.accepted(t, p, header, append(bytes.Clone(body), space...))
		h.accepted(t, p, header, append([]byte(space), body...))
		refused(append(append(bytes.Clone(body[:len(body)/2]), space...), body[len(body)/2:]...))
	}
	for _, more := range []string{"=", ".", "A", "\v", "\x00", "\u00a0"} {
		refused(append(bytes.Clone(body), more...))
		refused(append([]byte(more), body...))
	}
}
