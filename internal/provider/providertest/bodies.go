package providertest

import (
	"bytes"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func (h *Harness) bodies(t *testing.T) {
	t.Parallel()
	for reason, cases := range h.variant.Ignored {
		for name, body := range cases {
			t.Run("ignored: "+name, func(t *testing.T) {
				t.Parallel()
				d, err := h.Receive(t, body)
				require.NoError(t, err)
				require.Empty(t, d.Deletions)
				require.Equal(t, 1, d.Ignored)
				require.Equal(t, deletion.IgnoreReason(reason), d.IgnoreReason)
			})
		}
	}
	for reason, cases := range h.variant.Malformed {
		for name, body := range cases {
			t.Run("malformed: "+name, func(t *testing.T) {
				t.Parallel()
				_, err := h.Receive(t, body)
				require.Equal(t, fault.Malformed, fault.KindOf(err))
				require.Equal(t, fault.Reason(reason), fault.ReasonOf(err))
			})
		}
	}
	good := string(bytes.TrimSpace(h.withID(`"a"`)))
	for name, body := range map[string]string{
		"empty":                      "",
		"white space":                " \r\n\t",
		"cut off":                    good[:len(good)-1],
		"a second value":             good + good,
		"trailing data":              good + "x",
		"a trailing comma":           good[:len(good)-1] + ",}",
		"a comment":                  "/**/" + good,
		"a byte order mark":          "\xef\xbb\xbf" + good,
		"single quotes":              strings.ReplaceAll(good, `"`, `'`),
		"nesting without end":        strings.Repeat("[", 20_000),
		"nesting too deep in a name": `{"zzz":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "," + good[1:],
		"the id cut off":             string(h.withID(`"a`)),
	} {
		t.Run("broken: "+name, func(t *testing.T) {
			t.Parallel()
			h.broken(t, []byte(body))
		})
	}
	t.Run("white space around the value", func(t *testing.T) {
		t.Parallel()
		d, err := h.Receive(t, []byte("\r\n\t "+good+" \r\n"))
		require.NoError(t, err)
		require.Equal(t, "a", d.Deletions[0].ExternalID)
	})
	t.Run("bad JSON is refused for its signature first", func(t *testing.T) {
		t.Parallel()
		header, body := h.sign(t, h.other(), now(), []byte("{"))
		_, err := h.provider(t).Receive(header, body)
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	})
}

// broken requires that a body which is not strict JSON is refused or, as one
// of many in a batch, held for a human. It is never carried out.
func (h *Harness) broken(t *testing.T, body []byte) {
	t.Helper()
	d, err := h.Receive(t, body)
	if h.description.Batch && err == nil {
		require.NotEmpty(t, d.Deletions)
		for _, one := range d.Deletions {
			require.NotEmpty(t, one.UnusableID)
		}
		return
	}
	require.Equal(t, fault.Malformed, fault.KindOf(err))
	require.Equal(t, fault.ReasonBadJSON, fault.ReasonOf(err))
}

// Fuzz gives any of the providers any bytes, authenticated: whatever they are, it
// must neither panic nor return a deletion that names nobody.
func Fuzz(f *testing.F, all []*Harness) {
	for i, h := range all {
		add := func(body []byte) { f.Add(byte(i), body) } //nolint:gosec // there are few
		add(h.withID(`"a"`))
		add(h.withID("\"\xff\""))
		add(h.variant.body(h.member(`"a"`) + "," + h.member(`"b"`)))
		add([]byte(`{"data":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`))
		add([]byte(strings.Repeat(`{"data":`, 9_000)))
		for _, seed := range h.description.Seeds {
			add([]byte(seed))
		}
		for _, cases := range append(slices.Collect(maps.Values(h.variant.Ignored)), slices.Collect(maps.Values(h.variant.Malformed))...) {
			for _, body := range cases {
				add(body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, body []byte) {
		_, _ = all[int(i)%len(all)].Receive(t, body)
	})
}

// throughGateway and more is what a fuzzed delivery's provider is when a gateway has
// signed it.
const throughGateway = 128

// FuzzUnsigned gives any of the providers changed headers and bodies: nothing passes
// that is not the genuine delivery, byte for byte. A signature list may hold more than
// the genuine one. Half of them are an hour late, and signed by the gateway whatever
// they are.
func FuzzUnsigned(f *testing.F, variants []*Harness) {
	var all []*Harness
	for _, h := range variants { // what one of them signs must be worth nothing at another
		if !slices.ContainsFunc(all, func(other *Harness) bool { return other.secret() == h.secret() }) {
			all = append(all, h)
		}
	}
	for i, h := range slices.Concat(all, all) {
		header, body := h.good(f, h.secret(), now())
		if i >= len(all) {
			i += throughGateway - len(all)
			header, body = h.good(f, h.secret(), now().Add(-time.Hour))
		}
		values := make([]string, 3)
		for j, name := range h.headers(f) {
			values[j] = header.Get(name)
		}
		add := func(change func(string) string, body []byte) {
			f.Add(byte(i), change(values[0]), change(values[1]), change(values[2]), body) //nolint:gosec // there are few
		}
		add(func(s string) string { return s }, body)
		add(func(string) string { return "" }, nil)
		add(func(s string) string { return s + " " }, append([]byte(" "), body...))
		add(func(s string) string { return "+" + s }, body)
		add(func(s string) string { return "0" + s }, body)
		add(func(s string) string { return "v1, " + s }, body)
		add(func(s string) string { return strings.Replace(s, "v1,", "v1a,", 1) }, body)
		add(func(s string) string { return strings.TrimRight(s, "=") }, body)
		add(func(s string) string { return strings.Repeat("v1,AAAA ", 30) + s }, body)
		add(func(s string) string { return "Bearer " + s }, body)
		add(func(s string) string { return s }, append(bytes.Clone(body), '\n'))
		add(func(s string) string { return s }, body[:len(body)-1])
	}
	f.Fuzz(func(t *testing.T, i uint8, first, second, third string, changed []byte) {
		h := all[int(i%throughGateway)%len(all)]
		header, body := h.good(t, h.secret(), now())
		if i >= throughGateway {
			header, body = h.good(t, h.secret(), now().Add(-time.Hour))
		}
		given, values := header.Clone(), []string{first, second, third}
		for j, name := range h.headers(t) {
			given[name] = []string{values[j]}
		}
		if i >= throughGateway {
			given = forwarded(given, GatewaySignature(gatewaySecret, changed))
		}
		d, err := h.provider(t).Receive(given, changed)
		h.check(t, d, err)
		if fault.KindOf(err) != fault.Unauthenticated {
			h.genuine(t, header, given, body, changed)
		}
	})
}

// genuine requires that what passes carries the genuine delivery's proof.
func (h *Harness) genuine(t *testing.T, header, given http.Header, body, changed []byte) {
	t.Helper()
	scheme := h.provider(t).Scheme
	for _, name := range h.headers(t) {
		want, got := header.Get(name), given.Get(name)
		switch {
		case h.svixHeaders(t) != nil && name == h.svixHeaders(t).Signature:
			require.Regexp(t, `(^| )`+regexp.QuoteMeta(want)+`($|[ ,])`, got)
		case h.SignWith != nil && strings.HasPrefix(want, "v1"):
			require.Contains(t, strings.Split(got, " "), want)
		default:
			require.True(t, sameProof(scheme, want, got), "%q", got)
		}
	}
	if h.isToken(t) {
		return
	}
	if len(h.headers(t)) == 0 { // white space is no part of a token
		changed = bytes.Trim(changed, " \t\r\n")
	}
	require.Equal(t, body, changed)
}

// sameProof says whether a header's value carries the genuine one's proof: hex may be
// in any case, and more signatures may stand beside it.
func sameProof(scheme provider.Scheme, genuine, given string) bool {
	switch scheme.(type) {
	case *signature.PlainHMAC:
		return strings.EqualFold(genuine, given)
	case *signature.TimedHMAC:
		entries := func(value string) []string {
			return strings.Split(strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(value, "\t", "")), " ", ""), ",")
		}
		return !slices.ContainsFunc(entries(genuine), func(entry string) bool { return !slices.Contains(entries(given), entry) })
	}
	return genuine == given
}
