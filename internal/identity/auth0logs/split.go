package auth0logs

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// split tells the three documented layouts apart by the body alone, because the
// stream's content type is whatever an administrator typed, and yields the
// entries as they are, broken lines included. Its errors, and those it yields,
// mean that the body is broken as a whole.
func split(body []byte) (iter.Seq2[jsontext.Value, error], error) {
	kind := jsontext.Value(body).Kind()
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, fault.New(fault.Malformed, fault.ReasonBadJSON, "the body is empty")
	case kind == jsontext.KindBeginArray:
		return payload.Elements(body), nil
	case !payload.IsOne(body):
		return lines(body), nil
	case kind == jsontext.KindBeginObject:
		return splitObject(body)
	default:
		return nil, fault.New(fault.Malformed, fault.ReasonBadType, "the body is a JSON %s", kind)
	}
}

// splitObject reads {"logs":[…]} or, without that name, a single entry.
func splitObject(body []byte) (iter.Seq2[jsontext.Value, error], error) {
	logs, rest, err := payload.Cut(body, "/logs")
	switch {
	case err != nil:
		return nil, err
	case logs == nil:
		return single(body), nil
	case logs.Kind() != jsontext.KindBeginArray:
		return nil, fault.New(fault.Malformed, fault.ReasonBadType, "logs is a JSON %s, not an array", logs.Kind())
	}
	// The entries are judged alone, but what stands around them is strict.
	if err := payload.Decode(rest, &struct{}{}); err != nil {
		return nil, err
	}
	return payload.Elements(logs), nil
}

// single yields the body as the only entry, which may span lines.
func single(body []byte) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) { yield(bytes.TrimSpace(body), nil) }
}

// lines yields what stands between line breaks, LF or CRLF.
func lines(body []byte) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		for line := range bytes.Lines(body) {
			if line = bytes.TrimSpace(line); len(line) > 0 && !yield(line, nil) {
				return
			}
		}
	}
}
