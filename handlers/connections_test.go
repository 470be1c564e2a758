package handlers_test

import (
	"net"
	"net/http"
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
