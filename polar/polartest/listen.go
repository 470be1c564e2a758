package polartest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// readHeaderTimeout bounds how long a client may take to say what it wants.
const readHeaderTimeout = 10 * time.Second

// listening is the Server's own HTTP server, once it is started.
type listening struct {
	mu     sync.Mutex
	server *http.Server
	url    *url.URL
	served sync.WaitGroup
}

// TB is what Start needs of a testing.TB, so that programs that only want a
// local Polar do not import package testing.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(cleanup func())
}

// Start returns a Server that listens on a free port until the test ends.
func Start(tb TB, options Options) *Server {
	tb.Helper()
	s := New(options)
	if _, err := s.Start(""); err != nil {
		tb.Fatalf("start local Polar: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Fatalf("close local Polar: %v", err)
		}
	})
	return s
}

// Start listens on the address, for example "127.0.0.1:8081", or on a free
// loopback port when it is empty, and returns the base URL. Close ends it.
func (s *Server) Start(address string) (string, error) {
	l := &s.listening
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		return "", errors.New("local Polar is started already")
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", cmp.Or(address, "127.0.0.1:0"))
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	l.url = &url.URL{Scheme: "http", Host: listener.Addr().String()}
	l.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog:          log.New(io.Discard, "", 0), // faults on purpose
	}
	server := l.server
	l.served.Go(func() { _ = server.Serve(listener) }) // always ErrServerClosed in the end
	return l.url.String(), nil
}

// URL returns the base URL of a started Server, in a copy; nil before Start.
func (s *Server) URL() *url.URL {
	s.listening.mu.Lock()
	defer s.listening.mu.Unlock()
	if s.listening.url == nil {
		return nil
	}
	base := *s.listening.url
	return &base
}

// Close stops listening and breaks the calls under way off. The Server keeps
// what it knows; it may be started again.
func (s *Server) Close() error {
	l := &s.listening
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return nil
	}
	err := l.server.Close()
	l.served.Wait()
	l.server = nil
	return err
}
