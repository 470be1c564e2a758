package handlers_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/handlers"
)

func TestAConnectionWithANewRequestIsNotTheQuietest(t *testing.T) {
	t.Parallel()
	server := handlers.NewH2CServer(http.NotFoundHandler(), zap.NewNop())
	conns := make([]*closable, 1024)
	for i := range conns {
		conns[i] = &closable{}
		server.ConnState(conns[i], http.StateNew)
		server.ConnState(conns[i], http.StateActive)
	}
	r := httptest.NewRequestWithContext(server.ConnContext(t.Context(), conns[0]), http.MethodPost, "/", http.NoBody)
	r.ProtoMajor = 2
	server.Handler.ServeHTTP(httptest.NewRecorder(), r)
	arrive(t, server)
	closedAre(t, conns, 1)
}

// The bounds count a connection by what net/http says of it, which must be the
// same connection whatever it speaks.
func TestHTTP2ConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	server := handlers.NewH2CServer(newEdge(t).handler(), zap.NewNop())
	var mutex sync.Mutex
	states := map[net.Conn][]http.ConnState{}
	begun := map[net.Conn]bool{}
	note, begin := server.ConnState, server.ConnContext
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		mutex.Lock()
		states[conn] = append(states[conn], state)
		mutex.Unlock()
		note(conn, state)
	}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		mutex.Lock()
		begun[conn] = true
		mutex.Unlock()
		return begin(ctx, conn)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = server
	s.Start()
	t.Cleanup(s.Close)

	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/livez", http.NoBody)
	require.NoError(t, err)
	response, err := (&http.Client{Transport: transport}).Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 2, response.ProtoMajor)

	mutex.Lock()
	defer mutex.Unlock()
	require.Len(t, states, 1)
	require.Len(t, begun, 1)
	for conn, seen := range states {
		require.True(t, begun[conn])
		require.Contains(t, seen, http.StateActive)
	}
}
