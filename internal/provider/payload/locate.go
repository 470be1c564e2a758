package payload

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// locateFirst finds where the value at the pointer stands in a body whose names
// are known to stand once, or returns zeros when it is not there. It goes straight
// down: asking the decoder for its pointer at every token would cost the square of
// the nesting.
func locateFirst(body []byte, at jsontext.Pointer) (start, end int, err error) {
	dec := lenient(body)
	for name := range at.Tokens() {
		found, err := enter(dec, name)
		if err != nil || !found {
			return 0, 0, err
		}
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return 0, 0, err
	}
	end = int(dec.InputOffset())
	return end - len(raw), end, nil
}

// locateOnly is locateFirst for any body: it is an error when a name on the way
// stands twice, in whatever spelling.
func locateOnly(body []byte, at jsontext.Pointer) (start, end int, err error) {
	end = len(body)
	for name := range at.Tokens() {
		from, to, err := only(body[start:end], name)
		if err != nil || to == 0 {
			return 0, 0, err
		}
		start, end = start+from, start+to
	}
	return start, end, nil
}

// only finds the one member or element with the name.
func only(value []byte, name string) (start, end int, err error) {
	err = eachChild(value, func(key string, from, to int) error {
		if key != name {
			return nil
		}
		if end != 0 {
			return errTwice(from)
		}
		start, end = from, to
		return nil
	})
	return start, end, err
}

// enter moves the decoder to just before the named member or element.
func enter(dec *jsontext.Decoder, name string) (found bool, err error) {
	kind := dec.PeekKind()
	if kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		return false, dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return false, err
	}
	for i := 0; ; i++ {
		if next := dec.PeekKind(); next == jsontext.KindEndObject || next == jsontext.KindEndArray {
			return false, nil
		}
		key := strconv.Itoa(i)
		if kind == jsontext.KindBeginObject {
			tok, err := dec.ReadToken()
			if err != nil {
				return false, err
			}
			key = tok.String()
		}
		if key == name {
			return true, nil
		}
		if err := dec.SkipValue(); err != nil {
			return false, err
		}
	}
}
