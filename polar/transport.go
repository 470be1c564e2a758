package polar

import (
	"context"
	"crypto/tls"
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

// newHTTPClient returns a client that never follows a redirect: the answer to
// a DELETE elsewhere would say nothing about Polar, and the token must not go
// there.
func newHTTPClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = newTransport()
	}
	return &http.Client{
		Transport:     stayingTransport{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newTransport returns a transport of its own, so that no other code's changes
// to http.DefaultTransport matter here.
func newTransport() *http.Transport {
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

// stayingTransport takes the Location away from answers. http.Client parses it
// before it asks CheckRedirect and turns a bad one into an error that quotes
// it; a redirect has to stay an answer. CheckRedirect is then only the second
// lock on the same door.
type stayingTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t stayingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if response != nil {
		response.Header.Del("Location")
	}
	return response, err
}

// CloseIdleConnections passes on what embedding the interface hides.
func (t stayingTransport) CloseIdleConnections() {
	if closer, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// traceReach tells whether a request without an answer may have reached Polar:
// not when no connection (with its TLS) came about, and possibly from then on.
// The moment a connection is handed over is taken, not that of the written
// headers, because a cancelled request may still be written by another
// goroutine. When net/http asks for a connection again it knows that the server
// did not process what was sent before; a DELETE it never repeats otherwise.
func traceReach(ctx context.Context) (context.Context, *atomic.Bool) {
	reached := new(atomic.Bool)
	reached.Store(true) // for transports that report nothing
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { reached.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { reached.Store(true) },
	}), reached
}
