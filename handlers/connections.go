package handlers

import (
	"container/list"
	"net"
	"net/http"
	"sync"

	"go.uber.org/zap"
)

// maxConnections bounds the open connections of one listener. An idle one costs
// about 20 KiB, and nothing else bounds them: ten thousand took 240 MiB, and
// the file descriptors that the database and the calls to Polar need as well.
const maxConnections = 1024

// connections keeps a server below a number of open connections. The newest
// always gets in, and an eviction candidate makes room. Letting newcomers wait
// instead, as netutil.LimitListener does, would let whoever fills the server keep
// identity providers out for idleTimeout.
type connections struct {
	limit int
	log   *zap.Logger

	mu      sync.Mutex
	entries map[net.Conn]entry
	// Connections without a request, and those with one; the least recently used
	// are first.
	idle, active *list.List
}

// entry is where a connection is listed. The element's value is the connection.
type entry struct {
	list    *list.List
	element *list.Element
}

func newConnections(limit int, log *zap.Logger) *connections {
	return &connections{limit: limit, log: log, entries: make(map[net.Conn]entry), idle: list.New(), active: list.New()}
}

// onState is the server's ConnState hook. The server calls it before it serves a
// new connection, and with none of its locks held.
func (c *connections) onState(conn net.Conn, state http.ConnState) {
	if evicted := c.update(conn, state); evicted != nil {
		c.log.Warn("too many connections, least recently used one closed", zap.Int("connections", c.limit))
		_ = evicted.Close() // deletions that are just being stored are stored nevertheless
	}
}

// used notes one more request over a connection that has some already, of which
// the server does not tell.
func (c *connections) used(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, known := c.entries[conn]; known {
		e.list.MoveToBack(e.element)
	}
}

// update returns the connection that is evicted, if any.
func (c *connections) update(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.entries[conn]
	if known {
		e.list.Remove(e.element)
		delete(c.entries, conn)
	}
	switch { // one that is not known was evicted, which its goroutine does not know yet
	case state == http.StateNew, known && state == http.StateIdle:
		c.entries[conn] = entry{c.idle, c.idle.PushBack(conn)}
	case known && state == http.StateActive:
		c.entries[conn] = entry{c.active, c.active.PushBack(conn)}
	}
	if len(c.entries) <= c.limit {
		return nil
	}
	// The least recently used connection of the kind that there are more of, because
	// that is the strangers' kind: a flood of idle connections ends no request, and a
	// flood of requests that never end closes no connection that has had no time for
	// its first request.
	most := c.idle
	if c.active.Len() > most.Len() {
		most = c.active
	}
	evicted, _ := most.Remove(most.Front()).(net.Conn)
	delete(c.entries, evicted)
	return evicted
}
