package handlers

import (
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
	server, _ := newServer(h, log)
	return server
}

func newServer(h http.Handler, log *zap.Logger) (*http.Server, *connections) {
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
	server.ConnState = conns.onState
	// It fails only for a level that does not exist.
	if std, err := zap.NewStdLogAt(sampled, zapcore.WarnLevel); err == nil {
		server.ErrorLog = std
	}
	return server, conns
}
