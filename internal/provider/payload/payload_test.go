package payload_test

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

type document struct {
	Type string         `json:"type"`
	Raw  jsontext.Value `json:"raw"`
	In   struct {
		A string `json:"a"`
	} `json:"in"`
}

func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	var got document
	require.NoError(t, payload.Decode([]byte(` {"type":"a","TYPE":"b","Raw":1,"more":[{}]} `), &got))
	require.Equal(t, document{Type: "a"}, got)
	for body, reason := range map[string]fault.Reason{
		``:                              fault.ReasonBadJSON,
		` `:                             fault.ReasonBadJSON,
		`{`:                             fault.ReasonBadJSON,
		`{}{}`:                          fault.ReasonBadJSON,
		`{} x`:                          fault.ReasonBadJSON,
		`{"type":"a","type":"a"}`:       fault.ReasonBadJSON,
		`{"type":"a","\u0074ype":"a"}`:  fault.ReasonBadJSON,
		`{"type":"a","type":null}`:      fault.ReasonBadJSON,
		`{"raw":1,"raw":1}`:             fault.ReasonBadJSON,
		`{"in":{"a":"","a":""}}`:        fault.ReasonBadJSON,
		`{"in":{},"in":{"a":""}}`:       fault.ReasonBadJSON,
		"{\"type\":\"\xff\"}":           fault.ReasonBadJSON,
		`{"type":"\udc00"}`:             fault.ReasonBadJSON,
		"{\"type\":\"a\",\"x\":\"\xff}": fault.ReasonBadJSON,
		`{"x":1,"x":1,"type":5}`:        fault.ReasonBadType,
		`{"a":01}`:                      fault.ReasonBadJSON,
		`{"a":NaN}`:                     fault.ReasonBadJSON,
		`[1`:                            fault.ReasonBadJSON,
		`[]`:                            fault.ReasonBadType,
		`null`:                          fault.ReasonBadType,
		`5`:                             fault.ReasonBadType,
		`{"type":5}`:                    fault.ReasonBadType,
		`{"type":{}}`:                   fault.ReasonBadType,
	} {
		err := payload.Decode([]byte(body), &document{})
		require.Equal(t, fault.Malformed, fault.KindOf(err), body)
		require.Equal(t, reason, fault.ReasonOf(err), body)
	}
}

func TestWhatNobodyReadsMayBeOdd(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]document{
		"{\"x\":1,\"x\":2,\"type\":\"a\",\"y\":\"\xff\"}":      {Type: "a"},
		`{"type":"a","TYPE":"b","Type":"c","x":"\ud800"}`:      {Type: "a"},
		`{"raw":{"a":1,"a":2}}`:                                {Raw: jsontext.Value(`{"a":1,"a":2}`)},
		`{"in":{"A":"b","b":{"c":1,"c":1}},"type":"a"}`:        {Type: "a"},
		"{\"\xff\":1,\"\xff\":1,\"\\ud800\":1,\"type\":\"a\"}": {Type: "a"},
	} {
		var got document
		require.NoError(t, payload.Decode([]byte(body), &got), body)
		require.Equal(t, want, got, body)
	}
}

func TestErrorsDoNotQuoteTheBody(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"type":7777777}`, `{"raw":"marker","raw":"marker"}`, `{"type":"a" marker`, `{"raw":{"marker":x}}`, "{\"type\":\"marker\xff\"}",
	} {
		err := payload.Decode([]byte(body), &document{})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "marker")
		require.NotContains(t, err.Error(), "777")
	}
}

func TestPointersAreFollowed(t *testing.T) {
	t.Parallel()
	const body = `{"a":[{"x":1},{"b/c":{"~":"found"}}],"s":"a","0":{"1":"one"}}`
	for at, want := range map[jsontext.Pointer]string{
		"/a/1/b~1c/~0": "found",
		"/s":           "a",
		"/0/1":         "one",
	} {
		id, err := payload.DecodeAround([]byte(body), at, &document{})
		require.NoError(t, err)
		require.Equal(t, want, id.Usable(), at)
	}
	for _, at := range []jsontext.Pointer{"/A", "/a/2", "/a/01", "/a/-", "/a/-1", "/s/0", "/a/b~1c", "/a/1/b~1c/~0/x", "/missing/x"} {
		id, err := payload.DecodeAround([]byte(body), at, &document{})
		require.NoError(t, err)
		require.True(t, id.Absent(), at)
		require.Equal(t, deletion.MissingID, unusable(id), at)
	}
}

func TestTheIDMayBeAnythingButStandsOnce(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"{\"data\":{\"id\":\"\xff\"},\"type\":\"a\"}": `"\xff"`,
		`{"data":{"id":{"a":1,"a":2}}}`:               `"{\"a\":1,\"a\":2}"`,
		"{\"data\":{\"id\":\"a\",\"\xff\":1}}":        `"a"`,
		"{\"data\":{\"\xff\":1,\"id\":\"a\"}}":        `"a"`,
		`{"data":{"x":1,"x":2,"ID":"b","id":"a"}}`:    `"a"`,
	} {
		id, err := payload.DecodeAround([]byte(body), "/data/id", &document{})
		require.NoError(t, err)
		require.Equal(t, want, unusable(id), body)
	}
	for _, body := range []string{
		"{\"data\":{\"id\":\"\xff\"},\"type\":\"\xff\"}", `{"data":{"id":"a","id":"a"}}`, `{"data":{"id":"a","i\u0064":"b"}}`,
		`{"data":{},"data":{"id":"a"}}`, `{"data":{"id":"a"},"data":{}}`, `{"data":{"id":"a"},"d\u0061ta":null}`, `{"data":5,"data":{"id":"a"}}`,
	} {
		_, err := payload.DecodeAround([]byte(body), "/data/id", &document{})
		require.Equal(t, fault.ReasonBadJSON, fault.ReasonOf(err), "%q", body)
	}
}

func TestEventIDsAreStorable(t *testing.T) {
	t.Parallel()
	const ofA = "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	require.Equal(t, "evt 1~", payload.EventID("evt 1~", nil))
	require.Equal(t, strings.Repeat("a", 200), payload.EventID(strings.Repeat("a", 200), nil))
	require.Equal(t, ofA, payload.EventID("", []byte("a")))
	for _, id := range []string{strings.Repeat("a", 201), "a\n", "\x7f", "é", "\xff"} {
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, payload.EventID(id, []byte("a")))
		require.NotEqual(t, ofA, payload.EventID(id, []byte("a")), "of the id, not of the body")
	}
}

func TestTheSizeOfNestingAndNamesIsNoTrap(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	var names strings.Builder
	for i := 0; names.Len() < size/2; i++ {
		names.WriteString(`"` + strings.Repeat("x", i%7) + time.Duration(i).String() + `":0,`)
	}
	deep := strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000)
	plain := `{"data":{"id":"a"},"list":[` + strings.Repeat(`{"a":1},`, size/8) + `{}]}`
	for name, body := range map[string]string{
		"open brackets":  strings.Repeat("[", size),
		"open objects":   strings.Repeat(`{"a":`, size/5),
		"deep again":     `{"x":[` + strings.TrimSuffix(strings.Repeat(deep+",", 80), ",") + `]}`,
		"many names":     `{` + names.String() + `"z":0}`,
		"a huge string":  `{"a":"` + strings.Repeat(`\u0041`, size/6) + `"}`,
		"a huge id":      `{"data":{"id":"` + strings.Repeat(`\ud800`, size/6) + `"}}`,
		"a huge number":  `{"a":` + strings.Repeat("9", size) + `}`,
		"many elements":  `[` + strings.Repeat("1,", size/2) + `1]`,
		"many id bodies": strings.Repeat(`{"data":{"id":`, size/14),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := func(body string) time.Duration {
				start := time.Now()
				_, _ = payload.DecodeAround([]byte(body), "/data/id", &document{})
				for _, err := range payload.Elements([]byte(body)) {
					if err != nil {
						require.Equal(t, fault.Malformed, fault.KindOf(err))
					}
				}
				return time.Since(start)
			}
			plain, trap := took(plain), took(body)
			t.Logf("%s, a plain body of the size %s", trap, plain)
			require.Less(t, trap, 20*plain)
		})
	}
}

func FuzzDecodeAround(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"id":"a"},"type":"b"}`, `{"data":{"id":5,"id":6}}`, "{\"data\":{\"id\":\"\xff\"}}", `{"data":[1]}`, `[`, `{"data":{"i\u0064":"a"}}`,
		`{"type":"a","in":{"a":"b","x":1,"x":2},"t\u0079pe":"c"}`, `{"in":{"a":"b"},"x":1,"x":1,"in":null,"type":"\ud800"}`,
		"{\"data\":{\"id\":\"a\",\"x\":\"\\ud800\",\"x\":1}}", `{"data":{"id":"a"},"data":{"i\u0064":"b"}}`, `{"data":{"ID":"b","id":"a","\u0069d":"c"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		strict := jsontext.Value(body).IsValid() && jsontext.Value(body).Kind() == jsontext.KindBeginObject
		var into struct {
			Type string         `json:"type"`
			Data jsontext.Value `json:"data"`
			In   struct {
				A string `json:"a"`
			} `json:"in"`
		}
		id, err := payload.DecodeAround(body, "/data/id", &into)
		if strict && err != nil {
			require.Equal(t, fault.ReasonBadType, fault.ReasonOf(err), "what is strict JSON decodes")
		}
		if err != nil {
			require.Equal(t, fault.Malformed, fault.KindOf(err))
			return
		}
		if into.Type != "" {
			require.Equal(t, []string{into.Type}, everywhere(body, "type"))
		}
		if into.In.A != "" {
			require.Equal(t, []string{into.In.A}, everywhere(body, "in", "a"))
		}
		if found, err := payload.Find(body, "/data/id"); err == nil {
			require.Equal(t, payload.NewID(found), id)
		}
		d := id.Apply(deletion.Deletion{})
		require.NotEqual(t, d.ExternalID == "", d.UnusableID == "", "one or the other")
		if d.ExternalID != "" {
			require.NoError(t, deletion.CheckExternalID(d.ExternalID))
			require.Equal(t, []string{d.ExternalID}, everywhere(body, "data", "id"), "every reader finds the same")
		}
	})
}

// everywhere returns what another reader finds at the path, each time a name on it
// stands there: encoding/json, which lets names stand twice.
func everywhere(body []byte, path ...string) []string {
	dec := stdjson.NewDecoder(bytes.NewReader(body))
	var found []string
	var walk func(rest []string, matching bool)
	walk = func(rest []string, matching bool) {
		tok, err := dec.Token()
		if err != nil {
			return
		}
		switch tok {
		case stdjson.Delim('{'):
			for dec.More() {
				name, err := dec.Token()
				if err != nil {
					return
				}
				if matching && len(rest) > 0 && name == rest[0] {
					walk(rest[1:], true)
				} else {
					walk(nil, false)
				}
			}
		case stdjson.Delim('['):
			for dec.More() {
				walk(nil, false)
			}
		default:
			if text, ok := tok.(string); matching && len(rest) == 0 && ok {
				found = append(found, text)
			}
			return
		}
		_, _ = dec.Token() // the end
	}
	walk(path, true)
	return found
}

// unusable returns what operators see of an id that is not to be used.
func unusable(id payload.ID) string { return id.Untrusted().Apply(deletion.Deletion{}).UnusableID }
