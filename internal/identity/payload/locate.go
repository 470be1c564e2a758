package payload

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// locate finds where the value at the pointer stands in the body, or returns
// zeros when it is not there. It goes straight down: asking the decoder for its
// pointer at every token would cost the square of the nesting.
//
// If a name on the way stands twice, the first is followed; the strict decoding
// of the rest refuses such a body anyway.
func locate(body []byte, at jsontext.Pointer) (start, end int, err error) {
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
