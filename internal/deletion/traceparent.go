package deletion

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Traceparent is the W3C Trace Context that a webhook came with, in the form of its
// header: version, trace id, parent id and flags. "" is none.
//
// https://www.w3.org/TR/trace-context/#traceparent-header
type Traceparent string

// Where the parts of a Traceparent of version 00 begin and end.
const (
	traceIDAt, traceIDEnd   = 3, 35
	parentIDAt, parentIDEnd = 36, 52
	traceparentLength       = 55
)

// ParseTraceparent returns the text when it is a valid header of version 00, else "": a
// stranger may have written it.
func ParseTraceparent(text string) Traceparent {
	if len(text) != traceparentLength || !strings.HasPrefix(text, "00-") {
		return ""
	}
	for i, c := range []byte(text) {
		dash := i == traceIDAt-1 || i == traceIDEnd || i == parentIDEnd
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	if strings.Trim(text[traceIDAt:traceIDEnd], "0") == "" || strings.Trim(text[parentIDAt:parentIDEnd], "0") == "" {
		return ""
	}
	return Traceparent(text)
}

// TraceID returns the trace's id, 32 hexadecimal digits, "" without a trace.
func (t Traceparent) TraceID() string {
	if t == "" {
		return ""
	}
	return string(t[traceIDAt:traceIDEnd])
}

// child returns the header of an attempt's requests: the same trace and flags, and a
// parent id of the attempt's own.
func (t Traceparent) child() string {
	if t == "" {
		return ""
	}
	var own [(parentIDEnd - parentIDAt) / 2]byte
	_, _ = rand.Read(own[:]) // documented never to return an error
	return string(t[:parentIDAt]) + hex.EncodeToString(own[:]) + string(t[parentIDEnd:])
}
