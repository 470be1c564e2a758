package e2e_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// wire is the network between the program and its database. It is a few lines
// of our own because toxiproxy, which does more, brings a server with its
// metrics and routers into go.mod.
type wire struct {
	listener net.Listener
	target   string
	passes   sync.WaitGroup
	still    sync.RWMutex // locked while nothing passes, and nothing is refused

	mu     sync.Mutex
	cut    bool
	frozen bool // still is locked
	open   map[net.Conn]bool
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: listener, target: target, open: map[net.Conn]bool{}}
	w.passes.Go(w.accept)
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		w.setStill(false) // the test may have failed meanwhile
		w.setCut(true)
		w.passes.Wait()
	})
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

// setCut breaks all connections off and takes no more, or takes them again.
func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for connection := range w.open {
		if cut {
			_ = connection.Close() // all that matters is that it is closed
		}
	}
}

// setStill lets nothing pass, or everything again.
func (w *wire) setStill(still bool) {
	w.mu.Lock()
	changes := still != w.frozen
	w.frozen = still
	w.mu.Unlock()
	switch {
	case changes && still:
		w.still.Lock()
	case changes:
		w.still.Unlock()
	}
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.passes.Go(func() { w.connect(client) })
	}
}

func (w *wire) connect(client net.Conn) {
	defer client.Close() //nolint:errcheck // all that matters is that it is closed
	w.still.RLock()
	server, err := net.Dial("tcp", w.target)
	w.still.RUnlock()
	if err != nil || !w.keep(client, server) {
		return
	}
	w.passes.Go(func() { w.copy(server, client) })
	w.copy(client, server)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, client)
	delete(w.open, server)
}

func (w *wire) keep(ends ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range ends {
		w.open[end] = true
		if w.cut {
			_ = end.Close() // all that matters is that it is closed
		}
	}
	return !w.cut
}

func (w *wire) copy(to, from net.Conn) {
	_, _ = io.Copy(gated{to, &w.still}, from) // ends when either side closes
	_ = to.Close()
	_ = from.Close()
}

// gated waits before each write while the gate is locked.
type gated struct {
	net.Conn

	gate *sync.RWMutex
}

func (g gated) Write(p []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Conn.Write(p)
}
