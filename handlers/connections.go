package handlers

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// maxConnections bounds the open connections of one listener. An idle one costs
// about 20 KiB, and nothing else bounds them: ten thousand took 240 MiB, and
// the file descriptors that the database and the calls to Polar need as well.
const maxConnections = 1024

// connectionTime is how long a connection has at least, since it was last used, before
// it makes room. A flood of connections waits so long in the kernel's queue, and with it
// those who want in: 0.4 s behind a full one of 4,096. Without it a burst is accepted
// faster than served, and closes what has just come.
const connectionTime = 100 * time.Millisecond

// connections keeps a server below a number of open connections. The newest
// gets in after connectionTime at the latest, and an eviction candidate makes room.
// Letting newcomers wait until somebody leaves, as netutil.LimitListener does, would let
// whoever fills the server keep identity providers out for idleTimeout.
type connections struct {
	limit int
	log   *zap.Logger

	mu      sync.Mutex
	entries map[net.Conn]entry
	// Strangers' connections without a request, and with one; and those that have
	// brought something authentic. The least recently used are first.
	idle, active, authenticated *list.List
}

// entry is where a connection is listed, and since when. The element's value is the
// connection.
type entry struct {
	list    *list.List
	element *list.Element
	since   time.Time
}

func newConnections(limit int, log *zap.Logger) *connections {
	return &connections{
		limit: limit, log: log, entries: make(map[net.Conn]entry),
		idle: list.New(), active: list.New(), authenticated: list.New(),
	}
}

// connection is what the context of a request knows of the connection it came over.
type connection struct {
	connections *connections
	conn        net.Conn
}

type connectionKey struct{}

// withConnection is the server's ConnContext hook.
func (c *connections) withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connection{c, conn})
}

// connectionOf returns the zero connection, of which nothing is noted, for a request
// that no server of this package took.
func connectionOf(ctx context.Context) connection {
	c, _ := ctx.Value(connectionKey{}).(connection)
	return c
}

// onState is the server's ConnState hook. The server calls it before it serves a
// new connection, and accepts no other until it returns, with none of its locks held.
func (c *connections) onState(conn net.Conn, state http.ConnState) {
	if state != http.StateNew {
		c.update(conn, state)
		return
	}
	for {
		evicted, wait := c.admit(conn)
		if wait <= 0 {
			if evicted != nil {
				c.log.Warn("too many connections, least recently used one closed", zap.Int("connections", c.limit))
				_ = evicted.Close() // deletions that are just being stored are stored nevertheless
			}
			return
		}
		<-time.After(wait) // the hook has no context, and it is a tenth of a second
	}
}

// used notes one more request over a connection that has some already, of which
// the server does not tell.
func (c connection) used() {
	if c.connections != nil {
		c.connections.move(c.conn, nil)
	}
}

// authenticated notes that the connection has brought something authentic: whoever
// has no secret cannot have it closed by opening others. A proxy's connection
// brings strangers' requests as well, and is no worse for it.
func (c connection) authenticated() {
	if c.connections != nil {
		c.connections.move(c.conn, c.connections.authenticated)
	}
}

// move makes a connection the most recently used of a list, nil for the one it is in.
func (c *connections) move(conn net.Conn, to *list.List) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, known := c.entries[conn]; known {
		if to == nil {
			to = e.list
		}
		c.remove(conn)
		c.add(conn, to)
	}
}

func (c *connections) add(conn net.Conn, to *list.List) {
	c.entries[conn] = entry{to, to.PushBack(conn), time.Now()} //nolint:forbidigo // as the kernel's deadlines
}

func (c *connections) remove(conn net.Conn) {
	if e, known := c.entries[conn]; known {
		e.list.Remove(e.element)
		delete(c.entries, conn)
	}
}

// admit lets a new connection in and returns the one that is evicted for it, if any;
// or it returns how long to wait before it is asked again.
func (c *connections) admit(conn net.Conn) (evicted net.Conn, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= c.limit {
		evicted = c.candidate()
		if wait := connectionTime - time.Since(c.entries[evicted].since); wait > 0 { //nolint:forbidigo // as above
			return nil, wait
		}
		c.remove(evicted)
	}
	c.add(conn, c.idle)
	return evicted, 0
}

// candidate returns the least recently used connection of the kind that there are more
// of, because that is the strangers' kind: a flood of idle connections ends no request,
// a flood of requests that never end closes no connection that has had no time for its
// first request, and neither closes one that has brought something authentic.
func (c *connections) candidate() net.Conn {
	most := c.idle
	for _, kind := range []*list.List{c.active, c.authenticated} {
		if kind.Len() > most.Len() {
			most = kind
		}
	}
	conn, _ := most.Front().Value.(net.Conn)
	return conn
}

// update notes what the server says of a connection that it serves. One that is not
// known was evicted, which its goroutine does not know yet.
func (c *connections) update(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.entries[conn]
	if !known {
		return
	}
	c.remove(conn)
	switch {
	case state != http.StateIdle && state != http.StateActive: // it ended
	case e.list == c.authenticated:
		c.add(conn, c.authenticated)
	case state == http.StateActive:
		c.add(conn, c.active)
	default:
		c.add(conn, c.idle)
	}
}
