// Package payload reads the JSON of authenticated bodies, strictly where it
// decides something: exactly one value, no name twice, names matched by case,
// valid UTF-8, no member of another type than documented. encoding/json does none
// of this and decodes {"id":"a","ID":"b"} to b. What stands in members that nobody
// reads decides nothing: senders pass on texts that strangers chose, such as a
// user agent with half a character, and a deletion must not be lost to one.
//
// It must not know any provider or signature.
package payload

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Decode reads a body that has to be one JSON object. The members that into, a
// pointer to a struct, names are strict; the contents of those that it takes raw
// are for whoever reads them. Others may hold a name twice or invalid UTF-8.
func Decode(body []byte, into any) error {
	if kind := jsontext.Value(body).Kind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		if !jsontext.Value(body).IsValid() {
			return malformed(fault.ReasonBadJSON, "body is not strict JSON")
		}
		return malformed(fault.ReasonBadType, "a JSON %s stands where an object is documented", kind)
	}
	err := json.Unmarshal(body, into)
	if _, odd := errors.AsType[*jsontext.SyntacticError](err); !odd || !IsOne(body) {
		return classify(err)
	}
	// Nearly every body is strict, and only the others are looked at once more,
	// member by member.
	target := reflect.ValueOf(into).Elem()
	target.SetZero()
	if err := checkMembers(body, target.Type()); err != nil {
		return err
	}
	return classify(json.Unmarshal(body, into, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)))
}

// Member reads a member that is an object. One that is absent or null leaves
// into as it is.
func Member(raw jsontext.Value, into any) error {
	if len(raw) == 0 || raw.Kind() == jsontext.KindNull {
		return nil
	}
	return Decode(raw, into)
}

// DecodeAround is Decode, and returns the id at the pointer. That may be anything,
// because an authentic deletion with an unusable id must be held and not refused,
// but the names on the way to it stand once.
func DecodeAround(body []byte, at jsontext.Pointer, into any) (ID, error) {
	if err := Decode(body, into); err != nil {
		return ID{}, err
	}
	raw, err := Find(body, at)
	return ID{raw: raw}, err
}

// Cut returns the raw value at the pointer, nil when there is none, and the
// body with null in its place. A name on the way that stands twice is an error;
// whatever else is odd shows when the rest is decoded.
func Cut(body []byte, at jsontext.Pointer) (raw jsontext.Value, rest []byte, err error) {
	start, end, err := locate(body, at)
	if err != nil {
		return nil, nil, classify(err)
	}
	if end == 0 {
		return nil, body, nil
	}
	return body[start:end:end], slices.Concat(body[:start], []byte("null"), body[end:]), nil
}

// Find returns the raw value at the pointer, nil when there is none. A name on the
// way that stands twice is an error.
func Find(body []byte, at jsontext.Pointer) (jsontext.Value, error) {
	start, end, err := locate(body, at)
	if err != nil || end == 0 {
		return nil, classify(err)
	}
	return body[start:end:end], nil
}

// Either returns the first pointer or, if an id stands at the second only, the
// second. One whose value cannot be told is returned too, so that reading it says
// why.
func Either(body []byte, first, second jsontext.Pointer) jsontext.Pointer {
	raw, err := Find(body, first)
	if err != nil || !NewID(raw).Absent() {
		return first
	}
	if raw, err = Find(body, second); err != nil || raw != nil {
		return second
	}
	return first
}

// Elements yields the raw elements of an array, whatever they are: names may
// stand twice in them and their UTF-8 may be invalid, so that each can be
// judged alone. An error ends it and means that the array as a whole is broken.
func Elements(array []byte) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		dec := lenient(array)
		if tok, err := dec.ReadToken(); err != nil || tok.Kind() != jsontext.KindBeginArray {
			yield(nil, malformed(fault.ReasonBadJSON, "not a JSON array"))
			return
		}
		for dec.PeekKind() != jsontext.KindEndArray {
			raw, err := dec.ReadValue()
			if err != nil {
				yield(nil, classify(err))
				return
			}
			if !yield(raw, nil) {
				return
			}
		}
		if _, err := dec.ReadToken(); err != nil {
			yield(nil, classify(err))
			return
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			yield(nil, malformed(fault.ReasonBadJSON, "data after the JSON array"))
		}
	}
}

// IsOne says whether the body is exactly one JSON value, as lenient as Elements.
func IsOne(body []byte) bool {
	return jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

func lenient(body []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

// classify leaves the JSON package's text out, which quotes names and values of
// the body: that is for nobody's log.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		return malformed(fault.ReasonBadType, "JSON %s of the wrong type at byte %d", wrong.JSONKind, wrong.ByteOffset)
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return malformed(fault.ReasonBadJSON, "a JSON name stands twice at byte %d", syntax.ByteOffset)
		}
		return malformed(fault.ReasonBadJSON, "not strict JSON at byte %d", syntax.ByteOffset)
	}
	return malformed(fault.ReasonBadJSON, "not strict JSON")
}

func malformed(reason fault.Reason, format string, args ...any) error {
	return fault.New(fault.Malformed, reason, format, args...)
}
