package polar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrUnusableToken says that the access token cannot stand in a header: it has
// a line break or another control character in it. Nothing was sent.
var ErrUnusableToken = errors.New("access token cannot be sent in a header")

// errConnection stands for every error whose text may quote the request or the
// answer: net/http quotes what the server sent, which may repeat the path with the
// id.
var errConnection = errors.New("the connection broke, or the answer is not HTTP")

// networkError wraps the cause of a request without an answer. What it says is
// safe to log: no URL, no id, no token.
func networkError(operation string, err error) error {
	return fmt.Errorf("polar %s: %w", operation, withoutDetails(err))
}

// withoutDetails returns the part of err whose text is known to say nothing about
// the request.
func withoutDetails(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		return wrapped
	}
	if wrapped, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return wrapped
	}
	if wrapped, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return wrapped // not TLS on the other side
	}
	if wrapped, ok := errors.AsType[net.Error](err); ok && wrapped.Timeout() {
		return context.DeadlineExceeded // of a phase, for example the TLS handshake
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errConnection
}
