package providertest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func (h *Harness) ids(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"a", "user_29wBMCtzATuFJut8jO2VNTVekS4", "auth0|507f1f77bcf86cd799439020", "samlp|conn|user@example.com",
		"a/b", "a#b?c", "...", " a ", "null", "Zoë", "\U0001F600", "\ufffd", strings.Repeat("a", 512),
	} {
		t.Run("usable "+strconv.Quote(id[:min(len(id), 30)]), func(t *testing.T) {
			t.Parallel()
			d, err := h.Receive(t, h.withID(`"`+id+`"`))
			require.NoError(t, err)
			require.Len(t, d.Deletions, 1)
			require.Equal(t, id, d.Deletions[0].ExternalID)
		})
	}
	tests := []struct {
		name, raw, want string
	}{
		{"integer", `12345`, `"12345"`},
		{"number with exponent", `1e3`, `"1e3"`},
		{"boolean", `true`, `"true"`},
		{"object", `{"id":"a"}`, `"{\"id\":\"a\"}"`},
		{"array", `["a"]`, `"[\"a\"]"`},
		{"empty", `""`, `""`},
		{"one dot", `"."`, `"."`},
		{"two dots", `".."`, `".."`},
		{"escaped dots", `"\u002e\u002E"`, `".."`},
		{"NUL", `"a\u0000b"`, `"a\x00b"`},
		{"line break", `"a\nb"`, `"a\nb"`},
		{"C1 control", `"a\u0085b"`, `"a\u0085b"`},
		{"513 bytes", `"` + strings.Repeat("a", 513) + `"`, `"` + strings.Repeat("a", 63)},
		{"600 bytes", `"` + strings.Repeat("a", 600) + `"`, `"` + strings.Repeat("a", 63)},
		{"invalid UTF-8", "\"a\xffb\"", `"a\xffb"`},
		{"truncated UTF-8", "\"a\xc3\"", `"a\xc3"`},
		{"encoded surrogate", "\"\xed\xa0\x80\"", `"\xed\xa0\x80"`},
		{"unpaired surrogate escape", `"a\ud800b"`, `"a\\ud800b"`},
		{"invalid UTF-8 deep inside an object", "{\"a\":[\"\xff\"]}", `"{\"a\":[\"\xff\"]}"`},
	}
	for _, tt := range tests {
		t.Run("unusable: "+tt.name, func(t *testing.T) {
			t.Parallel()
			h.held(t, h.withID(tt.raw), tt.want)
		})
	}
	t.Run("names", h.names)
}

// names checks which member is the id at all.
func (h *Harness) names(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]string{
		"missing":     ``,
		"case-folded": `"` + strings.ToUpper(h.variant.IDMember) + `":"a"`,
		"null":        `"` + h.variant.IDMember + `":null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := deletion.MissingID
			if name == "null" {
				want = `"null"`
			}
			h.absent(t, h.variant.body(members), want)
		})
	}
	t.Run("a case-folded neighbour does not win", func(t *testing.T) {
		t.Parallel()
		folded := `"` + strings.ToUpper(h.variant.IDMember) + `":"b"`
		for _, members := range []string{h.member(`"a"`) + "," + folded, folded + "," + h.member(`"a"`)} {
			d, err := h.Receive(t, h.variant.body(members))
			require.NoError(t, err)
			require.Len(t, d.Deletions, 1)
			require.Equal(t, "a", d.Deletions[0].ExternalID)
		}
	})
	t.Run("a repeated id", func(t *testing.T) {
		t.Parallel()
		h.broken(t, h.variant.body(h.member(`"a"`)+","+h.member(`"b"`)))
		h.broken(t, h.variant.body(h.member("\"\xff\"")+","+h.member(`"b"`)))
		h.broken(t, h.variant.body(h.member(`"a"`)+`,"`+escaped(h.variant.IDMember)+`":"b"`))
	})
}

// held requires one deletion that a human has to look at.
func (h *Harness) held(t *testing.T, body []byte, want string) {
	t.Helper()
	d, err := h.Receive(t, body)
	require.NoError(t, err)
	require.Len(t, d.Deletions, 1)
	require.Empty(t, d.Deletions[0].ExternalID)
	require.Equal(t, want, d.Deletions[0].UnusableID)
}

func (h *Harness) absent(t *testing.T, body []byte, want string) {
	t.Helper()
	if !h.variant.OptionalID {
		h.held(t, body, want)
		return
	}
	d, err := h.Receive(t, body)
	require.NoError(t, err)
	require.Empty(t, d.Deletions)
	require.Equal(t, deletion.IgnoreNoExternalID, d.IgnoreReason)
}

func (h *Harness) member(raw string) string { return `"` + h.variant.IDMember + `":` + raw }

func (h *Harness) withID(raw string) []byte { return h.variant.body(h.member(raw)) }

// escaped writes the first character of a name as an escape, which is the same
// name.
func escaped(name string) string {
	return `\u00` + strconv.FormatInt(int64(name[0]), 16) + name[1:]
}
