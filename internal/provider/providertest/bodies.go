package providertest

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

func (h Harness) bodies(t *testing.T) {
	t.Parallel()
	for _, tt := range h.Ignored {
		t.Run("ignored: "+tt.Name, func(t *testing.T) {
			t.Parallel()
			d, err := h.receiveCase(t, tt)
			require.NoError(t, err)
			require.Empty(t, d.Deletions)
			require.Equal(t, 1, d.Ignored)
			require.Equal(t, event.IgnoreReason(tt.Reason), d.IgnoreReason)
		})
	}
	for _, tt := range h.Malformed {
		t.Run("malformed: "+tt.Name, func(t *testing.T) {
			t.Parallel()
			_, err := h.receiveCase(t, tt)
			require.Equal(t, fault.Malformed, fault.KindOf(err))
			require.Equal(t, tt.Reason, fault.ReasonOf(err))
		})
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
		d, err := h.receive(t, []byte("\r\n\t "+good+" \r\n"))
		require.NoError(t, err)
		require.Equal(t, "a", d.Deletions[0].ExternalID)
	})
	t.Run("bad JSON is refused for its signature first", func(t *testing.T) {
		t.Parallel()
		_, err := h.provider(t, h.Secret).Receive(h.sign(t, h.Other, []byte("{")), h.wrap(t, h.Other, []byte("{")))
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	})
}

func (h Harness) receiveCase(t *testing.T, tt Case) (event.Delivery, error) {
	t.Helper()
	with := h
	with.IDField = cmp.Or(tt.IDField, h.IDField)
	with.Source = cmp.Or(tt.Source, h.Source)
	return with.receive(t, []byte(tt.Body))
}

// broken requires that a body which is not strict JSON is refused or, as one
// of many in a batch, held for a human. It is never carried out.
func (h Harness) broken(t *testing.T, body []byte) {
	t.Helper()
	d, err := h.receive(t, body)
	if h.Batch && err == nil {
		require.NotEmpty(t, d.Deletions)
		for _, one := range d.Deletions {
			require.NotEmpty(t, one.UnusableID)
		}
		return
	}
	require.Equal(t, fault.Malformed, fault.KindOf(err))
	require.Equal(t, fault.ReasonBadJSON, fault.ReasonOf(err))
}

// Fuzz gives the provider any bytes, authenticated: whatever they are, it must
// neither panic nor return a deletion that names nobody.
func Fuzz(f *testing.F, h Harness) {
	f.Add(h.withID(`"a"`))
	f.Add(h.withID("\"\xff\""))
	f.Add(h.Body(h.member(`"a"`) + "," + h.member(`"b"`)))
	for _, tt := range append(h.Ignored, h.Malformed...) {
		f.Add([]byte(tt.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = h.receive(t, body)
	})
}

// FuzzUnsigned gives the provider changed headers and bodies: nothing passes
// that is not the genuine delivery, byte for byte. The signature list may hold
// more than the genuine one.
func FuzzUnsigned(f *testing.F, h Harness) {
	header, body := h.good(f, h.Secret, now())
	names := append(h.headers(), "", "", "")[:3]
	f.Add(header.Get(names[0]), header.Get(names[1]), header.Get(names[2]), body)
	f.Add("", "", "", []byte(nil))
	f.Add(header.Get(names[0])+" ", "+"+header.Get(names[1]), "v1, "+header.Get(names[2]), append([]byte(" "), body...))
	f.Fuzz(func(t *testing.T, first, second, third string, changed []byte) {
		values := []string{first, second, third}
		given := header.Clone()
		for i, name := range h.headers() {
			given[name] = []string{values[i]}
		}
		d, err := h.provider(t, h.Secret).Receive(given, changed)
		h.check(t, d, err)
		if fault.KindOf(err) == fault.Unauthenticated {
			return
		}
		if h.Scheme != nil {
			h.Scheme.genuine(t, header, values)
			if h.Scheme.Wrap != nil { // white space is no part of a token
				changed = bytes.Trim(changed, " \t\r\n")
			}
			require.Equal(t, body, changed)
			return
		}
		if h.Svix == nil {
			require.Equal(t, header.Get(h.Token.Header), first)
			return
		}
		require.Equal(t, header.Get(h.Svix.ID), first)
		require.Equal(t, header.Get(h.Svix.Timestamp), second)
		require.Regexp(t, `(^| )`+regexp.QuoteMeta(header.Get(h.Svix.Signature))+`($|[ ,])`, third)
		require.Equal(t, body, changed)
	})
}
