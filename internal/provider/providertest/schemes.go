package providertest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func (h *Harness) svix(t *testing.T) {
	t.Parallel()
	header, body := h.good(t, h.secret(), now())
	t.Run("the form", func(t *testing.T) { h.svixForm(t, header, body) })
	t.Run("headers of another set beside it", func(t *testing.T) { h.svixSets(t, header, body) })
	t.Run("the signature list", func(t *testing.T) { h.svixSignatures(t, header, body) })
}

// svixSets requires that another set neither helps nor harms, whatever it says,
// and that the id is never its.
func (h *Harness) svixSets(t *testing.T, header http.Header, body []byte) {
	t.Parallel()
	p, own := h.provider(t), *h.svixHeaders(t)
	for _, other := range []signature.HeaderSet{signature.SvixHeaders(), signature.StandardHeaders()} {
		if other == own {
			continue
		}
		wrong, _ := h.good(t, h.other(), now())
		for _, theirs := range []map[string]string{
			{other.ID: "foreign"},
			{other.Signature: "nonsense", other.Timestamp: "soon"},
			{other.ID: "foreign", other.Timestamp: header.Get(own.Timestamp), other.Signature: header.Get(own.Signature)},
			{other.ID: header.Get(own.ID), other.Timestamp: "1", other.Signature: wrong.Get(own.Signature)},
		} {
			both := header.Clone()
			for name, value := range theirs {
				both.Set(name, value)
			}
			require.Equal(t, eventID, h.accepted(t, p, both, body).Deletions[0].EventID)
			for _, name := range []string{own.ID, own.Timestamp, own.Signature} {
				torn := both.Clone()
				torn.Del(name)
				_, err := p.Receive(torn, body)
				require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			}
			both.Set(own.Signature, wrong.Get(own.Signature))
			h.refused(t, p, both, body, fault.ReasonBadSignature)
		}
	}
}

// svixForm checks id and timestamp, which have one form and one window only.
func (h *Harness) svixForm(t *testing.T, header http.Header, body []byte) {
	t.Parallel()
	p, own := h.provider(t), *h.svixHeaders(t)
	with := func(name, value string) http.Header {
		changed := header.Clone()
		changed.Set(name, value)
		return changed
	}
	t.Run("the timestamp may be 5 minutes off, both ways", func(t *testing.T) {
		t.Parallel()
		for _, off := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
			header, body := h.good(t, h.secret(), now().Add(off))
			h.accepted(t, p, header, body)
		}
		header, body := h.good(t, h.secret(), now().Add(-5*time.Minute-time.Second))
		h.refused(t, p, header, body, fault.ReasonStale)
		header, body = h.good(t, h.secret(), now().Add(5*time.Minute+time.Second))
		h.refused(t, p, header, body, fault.ReasonFuture)
	})
	t.Run("the timestamp has one form only", func(t *testing.T) {
		t.Parallel()
		seconds := strconv.FormatInt(now().Unix(), 10)
		for _, value := range []string{
			"+" + seconds, "-" + seconds, "0" + seconds, seconds + ".0", seconds + " ", " " + seconds, seconds + "000000",
			"0x6922f2c0", "1e9", "-0", "00", "now", "9223372036854775807", "9223372036854775808", "99999999999999999999", "１",
		} {
			h.refused(t, p, with(own.Timestamp, value), body, fault.ReasonBadHeader)
		}
		h.refused(t, p, with(own.Timestamp, "0"), body, fault.ReasonStale)
		h.refused(t, p, with(own.Timestamp, "999999999999"), body, fault.ReasonFuture)
	})
	t.Run("the id has one form only", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{"a.b", "a b", "a\tb", "é", "a\x00", strings.Repeat("a", 257)} {
			signed, err := signature.SvixHeader(own, h.secret(), value, now(), body)
			require.NoError(t, err)
			h.refused(t, p, signed, body, fault.ReasonBadHeader)
		}
	})
}

func (h *Harness) svixSignatures(t *testing.T, header http.Header, body []byte) {
	t.Parallel()
	name := h.svixHeaders(t).Signature
	good := header.Get(name)
	otherHeader, _ := h.good(t, h.other(), now())
	wrong := otherHeader.Get(name)
	mac := strings.TrimPrefix(good, "v1,")
	tests := []struct {
		name, value string
		reason      fault.Reason
	}{
		{"the right one after others", "v1a,AAAA v2,BBBB nonsense " + wrong + " " + good, ""},
		{"the right one before others", good + " " + wrong + " v1a,AAAA", ""},
		{"64 signatures", strings.Repeat(wrong+" ", 63) + good, ""},
		{"65 signatures", strings.Repeat(wrong+" ", 64) + good, fault.ReasonBadHeader},
		{"100 signatures", strings.Repeat(wrong+" ", 99) + good, fault.ReasonBadHeader},
		{"a header that is too long", good + " v2," + strings.Repeat("A", 8<<10), fault.ReasonBadHeader},
		{"only wrong ones", wrong + " " + wrong, fault.ReasonBadSignature},
		{"only unknown versions", "v2," + mac + " v1a," + mac, fault.ReasonBadSignature},
		{"an unknown version that is nearly v1", "V1," + mac, fault.ReasonBadSignature},
		{"no version", mac, fault.ReasonBadSignature},
		{"no padding", strings.TrimRight(good, "="), fault.ReasonBadSignature},
		{"a shorter MAC", "v1," + mac[:40], fault.ReasonBadSignature},
		{"an empty MAC", "v1,", fault.ReasonBadSignature},
		{"a comma and a blank, the right one first", good + ", " + wrong, ""},
		{"a comma and a blank, the right one last", wrong + ", " + good, ""},
		{"a comma and a blank, after unknown versions", "v1a,AAAA, v2,BBBB, " + good + ", " + wrong, ""},
		{"a comma only, the right one first", good + "," + wrong, ""},
		{"a comma only, the right one last", wrong + "," + good, fault.ReasonBadSignature}, // as the official libraries
		{"blanks and commas around it", " , " + good + ",, ", ""},
		{"65 signatures with commas", strings.Repeat(wrong+", ", 64) + good, fault.ReasonBadHeader},
		{"a version without a signature", "v1", fault.ReasonBadSignature},
		{"the signature before the version", mac + ",v1", fault.ReasonBadSignature},
		{"tabs as separators", wrong + "\t" + good, fault.ReasonBadSignature},
		{"blanks only", "   ", fault.ReasonBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changed := header.Clone()
			changed.Set(name, tt.value)
			p := h.provider(t)
			if tt.reason == "" {
				h.accepted(t, p, changed, body)
				return
			}
			h.refused(t, p, changed, body, tt.reason)
		})
	}
}

func (h *Harness) token(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now())
	const name = "Authorization"
	prefix := strings.TrimSuffix(header.Get(name), h.secret())
	for _, value := range []string{
		prefix, strings.TrimSpace(prefix), "Bearer", "Bearer ", "Basic " + h.secret(),
		"bearer " + h.secret(), "Bearer  " + h.secret(), "Bearer " + h.secret() + " ", h.secret() + "," + h.secret(),
		h.secret()[:len(h.secret())-1], h.secret() + "x", prefix + h.secret()[1:], "Token " + h.secret(),
		prefix + h.secret() + ", " + prefix + h.secret(), prefix + prefix + h.secret() + " ",
	} {
		t.Run("authorization "+strconv.Quote(value), func(t *testing.T) {
			t.Parallel()
			h.refused(t, p, http.Header{name: {value}}, body, fault.ReasonBadToken)
		})
	}
}
