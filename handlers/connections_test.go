package handlers_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/handlers"
)

// closable is a connection of which only the end matters.
type closable struct {
	net.Conn

	closed bool
}

func (c *closable) SetReadDeadline(time.Time) error { return nil }

func (c *closable) Close() error {
	c.closed = true
	return nil
}

// fullServer is a server with as many connections as it takes, each a millisecond
// younger than the one before. It runs on synctest's clock.
func fullServer(t *testing.T, log *zap.Logger, state http.ConnState) (*http.Server, []*closable) {
	t.Helper()
	server := handlers.NewServer(http.NotFoundHandler(), log)
	conns := make([]*closable, 1024)
	for i := range conns {
		conns[i] = &closable{}
		server.ConnState(conns[i], http.StateNew)
		server.ConnState(conns[i], state)
		<-time.After(time.Millisecond)
	}
	closedAre(t, conns)
	return server, conns
}

// arrive lets a connection in, which must not be the one that is closed.
func arrive(t *testing.T, server *http.Server) *closable {
	t.Helper()
	newcomer := &closable{}
	server.ConnState(newcomer, http.StateNew)
	require.False(t, newcomer.closed)
	return newcomer
}

// closedAre requires that exactly the connections with these indexes are closed.
func closedAre(t *testing.T, conns []*closable, want ...int) {
	t.Helper()
	var got []int
	for i, c := range conns {
		if c.closed {
			got = append(got, i)
		}
	}
	require.Equal(t, want, got)
}

func TestTheLongestIdleConnectionMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		server, conns := fullServer(t, zap.New(core), http.StateIdle)
		server.ConnState(conns[0], http.StateActive)
		server.ConnState(conns[1], http.StateIdle)
		arrive(t, server)
		closedAre(t, conns, 2)
		require.Equal(t, 1, logs.FilterMessageSnippet("too many connections").Len())

		// Its own goroutine notices later, which must not count twice.
		server.ConnState(conns[2], http.StateActive)
		server.ConnState(conns[2], http.StateClosed)
		arrive(t, server)
		closedAre(t, conns, 2, 3)
	})
}

func TestAFloodOfIdleConnectionsBreaksNoRequestOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, conns := fullServer(t, zap.NewNop(), http.StateIdle)
		server.ConnState(conns[0], http.StateActive)
		for range 1900 { // about two seconds, longer than a request takes
			server.ConnState(arrive(t, server), http.StateIdle)
			<-time.After(time.Millisecond)
		}
		require.False(t, conns[0].closed)
	})
}

func TestSlowRequestsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, conns := fullServer(t, zap.NewNop(), http.StateActive)
		first := arrive(t, server)
		closedAre(t, conns, 0)
		second := arrive(t, server)
		closedAre(t, conns, 0, 1)
		require.False(t, first.closed || second.closed, "they had no time to speak yet")
	})
}

func TestAFloodOfRequestsThatNeverEndBreaksNobodyOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, _ := fullServer(t, zap.NewNop(), http.StateActive)
		quiet, asking := arrive(t, server), arrive(t, server)
		server.ConnState(asking, http.StateActive)
		for range 500 { // all within a moment
			server.ConnState(arrive(t, server), http.StateActive)
		}
		require.False(t, quiet.closed, "it had no time to speak yet")
		require.False(t, asking.closed)
	})
}

// ask lets a connection in that brings one webhook and is kept alive.
func ask(t *testing.T, server *http.Server, webhookToken string) *closable {
	t.Helper()
	conn := arrive(t, server)
	server.ConnState(conn, http.StateActive)
	r := httptest.NewRequestWithContext(server.ConnContext(t.Context(), conn), http.MethodPost, "/webhooks/clerk", http.NoBody)
	r.Header.Set("X-Token", webhookToken)
	server.Handler.ServeHTTP(httptest.NewRecorder(), r)
	server.ConnState(conn, http.StateIdle)
	return conn
}

// A request that is on its way over a kept-alive connection is lost with it, and
// clients do not repeat a POST (RFC 9110 section 9.2.2).
func TestNoFloodClosesAConnectionThatBroughtSomethingAuthentic(t *testing.T) {
	t.Parallel()
	for name, flood := range map[string]http.ConnState{"of idle connections": http.StateIdle, "of requests that never end": http.StateActive} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := handlers.NewServer(newEdge(t).handler(), zap.NewNop())
				genuine := ask(t, server, token)
				stranger := ask(t, server, "forged")
				server.ConnState(stranger, flood)
				for range 3000 {
					server.ConnState(arrive(t, server), flood)
				}
				require.True(t, stranger.closed)
				require.False(t, genuine.closed)

				server.ConnState(genuine, http.StateActive)
				for range 3000 {
					server.ConnState(arrive(t, server), flood)
				}
				require.False(t, genuine.closed, "nor under its next request")
			})
		})
	}
}

func TestConnectionsThatBroughtSomethingAuthenticAreBoundedToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := handlers.NewServer(newEdge(t).handler(), zap.NewNop())
		conns := make([]*closable, 1030)
		for i := range conns {
			conns[i] = ask(t, server, token)
		}
		closedAre(t, conns, 0, 1, 2, 3, 4, 5)
	})
}

func TestABurstClosesNothingThatHasJustCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, _ := fullServer(t, zap.NewNop(), http.StateIdle)
		begin := time.Now()
		for range 10 {
			genuine, since := arrive(t, server), time.Now()
			for !genuine.closed {
				arrive(t, server)
			}
			require.GreaterOrEqual(t, time.Since(since), 100*time.Millisecond, "it had time for its request")
			require.Less(t, time.Since(since), 200*time.Millisecond, "and newcomers do not wait for longer")
		}
		require.Less(t, time.Since(begin), 2*time.Second)
	})
}

func TestConnectionsThatEndedDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, conns := fullServer(t, zap.NewNop(), http.StateIdle)
		server.ConnState(conns[7], http.StateClosed)
		server.ConnState(conns[8], http.StateHijacked)
		arrive(t, server)
		arrive(t, server)
		closedAre(t, conns)
	})
}

func TestAFloodOfConnectionsLeavesALineNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		server, _ := fullServer(t, zap.New(core), http.StateIdle)
		for range 900 {
			arrive(t, server)
		}
		require.Equal(t, 5, logs.Len())
	})
}
