package providertest

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

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

// mutations requires that no other body passes than the genuine one. Where the body is
// what authenticates, the reason depends on what is broken, and white space around it
// is no part of it.
func (h *Harness) mutations(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now())
	inBody := len(h.headers(t)) == 0
	refused := func(changed []byte) {
		if !inBody {
			h.refused(t, p, header, changed, fault.ReasonBadSignature)
			return
		}
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
		around := refused
		if inBody {
			around = func(body []byte) { h.accepted(t, p, header, body) }
		}
		around(append(bytes.Clone(body), space...))
		around(append([]byte(space), body...))
		refused(insert(body, len(body)/2, space))
	}
	for _, more := range []string{"=", ".", "A", "\v", "\x00", "\u00a0"} {
		refused(append(bytes.Clone(body), more...))
		refused(append([]byte(more), body...))
	}
}
