package providertest

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// oddities are members that are no strict JSON, and that nobody reads.
func oddities() map[string]string {
	return map[string]string{
		"a name twice":                       `"zzz":1,"zzz":2`,
		"a name twice deep inside":           `"zzz":[{"a":1,"a":{"b":1,"b":2}}]`,
		"a name twice, once with an escape":  `"zzz":1,"z\u007az":2`,
		"invalid UTF-8 in a value":           "\"zzz\":\"\xff\"",
		"invalid UTF-8 in a name":            "\"\xff\":1,\"\xff\":2",
		"UTF-8 that is cut off":              "\"zzz\":\"\xe2\x82\"",
		"half a surrogate pair":              `"zzz":"\ud800"`,
		"the other half":                     `"zzz":"Mozilla \udc00 5.0"`,
		"half a surrogate pair in a name":    `"\ud800":1`,
		"a surrogate that is encoded itself": "\"zzz\":\"\xed\xa0\x80\"",
	}
}

// odd requires that what nobody reads costs nothing, wherever it stands, and that
// what somebody reads stands once.
func (h *Harness) odd(t *testing.T) {
	t.Parallel()
	good := bytes.TrimSpace(h.withID(`"a"`))
	want := h.only(t, good)
	for name, member := range oddities() {
		t.Run(name+" where nobody reads", func(t *testing.T) {
			t.Parallel()
			for i, c := range good {
				if c == '{' {
					h.same(t, want, with(good, i+1, member))
				}
			}
		})
	}
	t.Run("a member that stands twice changes nothing", func(t *testing.T) {
		t.Parallel()
		for _, m := range members(t, good) {
			for _, second := range []string{string(m.value), `"b"`, `"user.updated"`, `null`, `{}`, `[]`, `1`, `true`} {
				for _, name := range []string{m.name, escaped(m.name)} {
					member := `"` + name + `":` + second
					h.sameOrRefused(t, want, with(good, m.start, member))
					h.sameOrRefused(t, want, insert(good, m.end, ","+member))
				}
			}
		}
	})
	t.Run("the id and its objects stand once", func(t *testing.T) {
		t.Parallel()
		deciding := 0
		for _, m := range members(t, good) {
			if id := m.name == h.variant.IDMember && string(m.value) == `"a"`; !id && !bytes.Contains(m.value, []byte(h.member(`"a"`))) {
				continue
			}
			deciding++
			h.refusedOrHeld(t, insert(good, m.end, `,"`+m.name+`":`+string(m.value)))
			h.refusedOrHeld(t, insert(good, m.end, `,"`+escaped(m.name)+`":null`))
			h.refusedOrHeld(t, with(good, m.start, `"`+m.name+`":{}`))
		}
		require.Positive(t, deciding)
	})
}

// only returns the deletion in a body, without what depends on the bytes.
func (h *Harness) only(t *testing.T, body []byte) deletion.Deletion {
	t.Helper()
	d, err := h.Receive(t, body)
	require.NoError(t, err, "%q", body)
	require.Len(t, d.Deletions, 1, "%q", body)
	if strings.HasPrefix(d.Deletions[0].EventID, "sha256:") {
		d.Deletions[0].EventID = ""
	}
	return d.Deletions[0]
}

func (h *Harness) same(t *testing.T, want deletion.Deletion, body []byte) {
	t.Helper()
	require.Equal(t, want, h.only(t, body), "%q", body)
}

func (h *Harness) sameOrRefused(t *testing.T, want deletion.Deletion, body []byte) {
	t.Helper()
	if !h.isRefusedOrHeld(t, body) {
		h.same(t, want, body)
	}
}

func (h *Harness) refusedOrHeld(t *testing.T, body []byte) {
	t.Helper()
	require.True(t, h.isRefusedOrHeld(t, body), "%q", body)
}

func (h *Harness) isRefusedOrHeld(t *testing.T, body []byte) bool {
	t.Helper()
	d, err := h.Receive(t, body)
	if err != nil {
		require.Equal(t, fault.Malformed, fault.KindOf(err))
		return true
	}
	return len(d.Deletions) == 1 && d.Deletions[0].UnusableID != ""
}

// jsonMember is a member of an object somewhere in a body.
type jsonMember struct {
	name       string
	value      []byte
	start, end int // from the name to behind the value
}

// members returns those of a body whose texts hold no quotation marks.
func members(t *testing.T, body []byte) []jsonMember {
	t.Helper()
	var all []jsonMember
	for _, at := range regexp.MustCompile(`"(\w+)":`).FindAllSubmatchIndex(body, -1) {
		value, err := jsontext.NewDecoder(bytes.NewReader(body[at[1]:])).ReadValue()
		require.NoError(t, err)
		all = append(all, jsonMember{string(body[at[2]:at[3]]), value, at[0], at[1] + len(value)})
	}
	require.NotEmpty(t, all)
	return all
}

// with puts members before those that follow.
func with(body []byte, at int, members string) []byte {
	if body[at] != '}' {
		members += ","
	}
	return insert(body, at, members)
}

// insert puts text into the body.
func insert(body []byte, at int, text string) []byte {
	return append(append(bytes.Clone(body[:at]), text...), body[at:]...)
}
