package polar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// ErrUnusableToken says that the access token cannot stand in a header: it has
// a line break or another control character in it. Nothing was sent.
var ErrUnusableToken = errors.New("access token cannot be sent in a header")

// errBroken stands for every error whose text nobody here has vetted:
// net/http quotes what the server sent, which may repeat the path with the id.
var errBroken = errors.New("connection broke or its answer is not HTTP")

// networkError wraps the cause of a request without an answer. What it says is
// safe to log: no URL, no id, no token.
func networkError(operation string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // its text is method and URL, with the id in it
	}
	return fmt.Errorf("polar %s: %w", operation, vetted(err))
}

// vetted returns the part of err whose text is known to say nothing about the
// request.
func vetted(err error) error {
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
	if wrapped, ok := errors.AsType[net.Error](err); ok && wrapped.Timeout() {
		return context.DeadlineExceeded // of a phase, for example the TLS handshake
	}
	for _, known := range []error{http.ErrSchemeMismatch, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errBroken
}
