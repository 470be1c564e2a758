package handlers

import (
	"context"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The servers' limits. A writer's time begins when the headers are read, so it
// has to cover the body, the two seconds of Accept and the answer.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second
	// Longer than the 60 s after which proxies usually close: they must not
	// reuse a connection that is just being closed here.
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// The log lines of net/http itself are sampled by message.
const (
	serverLogTick  = time.Minute
	serverLogFirst = 5
	serverLogEvery = 1000
)

// NewServer returns a server with every limit set. The caller gives it a
// listener and shuts it down.
func NewServer(h http.Handler, log *zap.Logger) *http.Server {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// OPTIONS * is an unknown route like any other.
		DisableGeneralOptionsHandler: true,
	}
	sampled := log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, serverLogTick, serverLogFirst, serverLogEvery)
	}))
	conns := newConnections(maxConnections, sampled)
	server.ConnState, server.ConnContext = conns.onState, conns.withConnection
	// It fails only for a level that does not exist.
	if std, err := zap.NewStdLogAt(sampled, zapcore.WarnLevel); err == nil {
		server.ErrorLog = std
	}
	return server
}

// Bounds of one HTTP/2 connection. What strangers hold is bounded for all
// connections together, see bodies.
const (
	maxStreams       = 32
	streamWindow     = maxUnknownBody // of bytes that no handler has read yet
	connectionWindow = 4 * streamWindow
)

// NewH2CServer is NewServer that also speaks HTTP/2 without TLS, to those who
// begin with it ("prior knowledge", RFC 9113 section 3.3): proxies and meshes
// that end TLS themselves and send many requests over one connection.
func NewH2CServer(h http.Handler, log *zap.Logger) *http.Server {
	server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor > 1 {
			connectionOf(r.Context()).used()
		}
		h.ServeHTTP(w, r)
	}), log)
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerStream:     streamWindow,
		MaxReceiveBufferPerConnection: connectionWindow,
		WriteByteTimeout:              writeTimeout,
	}
	withConnection := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		// net/http waits for the first bytes to tell the protocols apart, and
		// sets its own deadlines only then. A connection that is closed already
		// will notice.
		_ = conn.SetReadDeadline(time.Now().Add(readHeaderTimeout)) //nolint:forbidigo // the kernel knows no other clock
		return withConnection(ctx, conn)
	}
	return server
}
