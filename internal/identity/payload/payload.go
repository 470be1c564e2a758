// Package payload reads the JSON of authenticated bodies, strictly: exactly one
// value, no name twice, names matched by case, valid UTF-8, no member of
// another type than documented. encoding/json does none of this and decodes
// {"id":"a","ID":"b"} to b.
//
// It must not know any provider or signature.
package payload

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Decode reads a body that has to be one JSON object. Members that into does
// not name are ignored, but have to be strict JSON as well.
func Decode(body []byte, into any) error {
	if kind := jsontext.Value(body).Kind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		if !jsontext.Value(body).IsValid() {
			return malformed(fault.ReasonBadJSON, "body is not strict JSON")
		}
		return malformed(fault.ReasonBadType, "a JSON %s stands where an object is documented", kind)
	}
	return classify(json.Unmarshal(body, into))
}

// Member reads a member that is an object. One that is absent or null leaves
// into as it is.
func Member(raw jsontext.Value, into any) error {
	if len(raw) == 0 || raw.Kind() == jsontext.KindNull {
		return nil
	}
	return Decode(raw, into)
}

// DecodeAround is Decode, but for the value at the pointer: that one may hold
// invalid UTF-8, because an authentic deletion with an unusable id must be held
// and not refused. Within into, the value is null.
func DecodeAround(body []byte, at jsontext.Pointer, into any) (ID, error) {
	raw, rest, err := Cut(body, at)
	if err != nil {
		return ID{}, err
	}
	// Names twice or nesting too deep are not an id but a broken body.
	if raw != nil && !raw.IsValid(jsontext.AllowInvalidUTF8(true)) {
		return ID{}, malformed(fault.ReasonBadJSON, "the id's value is not strict JSON")
	}
	return ID{raw: raw}, Decode(rest, into)
}

// Cut returns the raw value at the pointer, nil when there is none, and the
// body with null in its place. It is as lenient as Elements and checks the body
// up to that value only; decode the rest to know that it is strict.
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

// Find returns the raw value at the pointer, nil when there is none or the way
// to it cannot be read: that is reported when the whole body is decoded.
func Find(body []byte, at jsontext.Pointer) jsontext.Value {
	raw, _, err := Cut(body, at)
	if err != nil {
		return nil
	}
	return raw
}

// Either returns the first pointer or, if an id stands at the second only, the
// second.
func Either(body []byte, first, second jsontext.Pointer) jsontext.Pointer {
	if NewID(Find(body, first)).Absent() && Find(body, second) != nil {
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
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return malformed(fault.ReasonBadJSON, "a JSON name stands twice at byte %d", syntax.ByteOffset)
		}
		return malformed(fault.ReasonBadJSON, "not strict JSON at byte %d", syntax.ByteOffset)
	}
	return malformed(fault.ReasonBadJSON, "not strict JSON")
}

func malformed(reason, format string, args ...any) error {
	return fault.New(fault.Malformed, reason, format, args...)
}
