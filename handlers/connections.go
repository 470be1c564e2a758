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
// always gets in; the one that nobody will miss makes room. Letting newcomers
// wait instead, as netutil.LimitListener does, would let whoever fills the
// server keep identity providers out for idleTimeout.
type connections struct {
	limit int
	log   *zap.Logger

	mu     sync.Mutex
	places map[net.Conn]place
	// The longest quiet ones are first: those without a request, and those
	// with one.
	resting, active *list.List
}

// place is where a connection stands. The element's value is the connection.
type place struct {
	list    *list.List
	element *list.Element
}

func newConnections(limit int, log *zap.Logger) *connections {
	return &connections{limit: limit, log: log, places: make(map[net.Conn]place), resting: list.New(), active: list.New()}
}

// note is the server's ConnState hook. The server calls it before it serves a
// new connection, and with none of its locks held.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	if victim := c.update(conn, state); victim != nil {
		c.log.Warn("too many connections, a quiet one was closed", zap.Int("connections", c.limit))
		_ = victim.Close() // deletions that are just being stored are stored nevertheless
	}
}

// busy tells that one more request has come over a connection that has some
// already, which the server does not: it is no longer the longest quiet one.
func (c *connections) busy(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, known := c.places[conn]; known {
		p.list.MoveToBack(p.element)
	}
}

// update returns the connection that has to go, if any.
func (c *connections) update(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.forget(conn)
	switch state {
	case http.StateNew:
		c.put(conn, c.resting)
	case http.StateActive, http.StateIdle:
		if !known { // closed to make room, which its goroutine does not know yet
			return nil
		}
		to := c.resting
		if state == http.StateActive {
			to = c.active
		}
		c.put(conn, to)
	case http.StateClosed, http.StateHijacked:
	}
	if len(c.places) <= c.limit {
		return nil
	}
	victim := c.dispensable()
	c.forget(victim)
	return victim
}

// dispensable is the longest quiet connection of the kind that there are more of,
// because that is the strangers' kind: a flood of idle connections breaks no
// request off, and a flood of requests that never end breaks nobody off who has
// had no time to speak yet.
func (c *connections) dispensable() net.Conn {
	most := c.resting
	if c.active.Len() > most.Len() {
		most = c.active
	}
	conn, _ := most.Front().Value.(net.Conn)
	return conn
}

func (c *connections) put(conn net.Conn, to *list.List) {
	c.places[conn] = place{to, to.PushBack(conn)}
}

// forget reports whether the connection was known.
func (c *connections) forget(conn net.Conn) bool {
	p, known := c.places[conn]
	if known {
		p.list.Remove(p.element)
		delete(c.places, conn)
	}
	return known
}
