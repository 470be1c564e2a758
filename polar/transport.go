package polar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// The transport's own bounds; Options.Timeout bounds the whole.
const (
	maxIdleConnections = 16
	idleTimeout        = 90 * time.Second
	phaseTimeout       = 10 * time.Second
	maxHeaderBytes     = 64 << 10
)

// NewTransport returns a transport of its own, so that no other code's changes
// to http.DefaultTransport matter here.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: phaseTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    phaseTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdleConnections,
		MaxIdleConnsPerHost:    maxIdleConnections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // answers are tiny
	}
}

// traceConnection tells whether a request without an answer may have reached
// Polar: not when no connection (with its TLS) came about, and possibly from then
// on. The moment a connection is handed over counts, not that of the written
// headers, because a cancelled request may still be written by another goroutine.
// When net/http asks for a connection again it knows that the server did not
// process what was sent before; otherwise it never repeats a DELETE.
func traceConnection(ctx context.Context) (context.Context, *atomic.Bool) {
	connected := new(atomic.Bool)
	connected.Store(true) // for transports that report nothing
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}), connected
}

// traceparentKey is where a context keeps the header traceparent.
type traceparentKey struct{}

// WithTraceparent returns a context whose requests carry that header traceparent, so
// that whoever forwards them can tell which trace they belong to; "" is none.
//
// https://www.w3.org/TR/trace-context/#traceparent-header
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

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
