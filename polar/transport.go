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
