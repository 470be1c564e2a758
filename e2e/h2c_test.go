package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// overH2C is a client that begins with HTTP/2, without TLS and without asking.
func overH2C(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()

	t.Run("is taken when it is set, and HTTP/1.1 beside it", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t), "H2C=true")
		ids := env.addCustomers(2)
		p := env.start(t)
		status, text := p.post(t.Context(), overH2C(t), sign(t, "clerk", "msg_0", ids[0]))
		require.Equal(t, http.StatusAccepted, status, text)
		p.deliver(t, sign(t, "clerk", "msg_1", ids[1]), http.StatusAccepted)
		env.waitDeleted(t, ids, 20*time.Second)
		status, _ = p.post(t.Context(), overH2C(t), signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk"))
		require.Equal(t, http.StatusUnauthorized, status)
		require.Zero(t, p.terminate(t), "connections that idle do not keep it from stopping")
	})
	t.Run("is not spoken by itself", func(t *testing.T) {
		t.Parallel()
		p := newEnvironment(t, databasetest.SQLite(t)).start(t)
		status, _ := p.post(t.Context(), overH2C(t), sign(t, "clerk", "msg_0", "user_0000"))
		require.Zero(t, status)
	})
	t.Run("is never spoken on the admin's port", func(t *testing.T) {
		t.Parallel()
		p := newEnvironment(t, databasetest.SQLite(t), "H2C=true").start(t)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/metrics", http.NoBody)
		require.NoError(t, err)
		_, err = overH2C(t).Do(request) //nolint:bodyclose // there is none
		require.Error(t, err)
	})
	t.Run("gives a connection that says nothing five seconds", func(t *testing.T) {
		t.Parallel()
		p := newEnvironment(t, databasetest.SQLite(t), "H2C=true").start(t)
		conn, err := p.dial(t.Context(), "")
		require.NoError(t, err)
		defer conn.Close() //nolint:errcheck // only read
		began := time.Now()
		require.NoError(t, conn.SetReadDeadline(began.Add(patience)))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.Less(t, ran(began), 8*time.Second)
	})
}

// The streams of a few connections are as many strangers as connections are.
func TestBodiesThatNeverEndOverHTTP2(t *testing.T) {
	t.Parallel()
	attacks := []struct {
		name            string
		streams, length int
	}{
		{"a few large ones, as large as was once allowed", 70, 1 << 20},
		{"as large as is allowed", 1500, mostBody},
		{"small ones", 3000, 100},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "LOGTO_WEBHOOK_SECRET="+logtoKey, "H2C=true")
			p := env.start(t)
			p.requireAllTakenBeside(t, func(ctx context.Context) {
				p.besiegeOverH2C(ctx, t, attack.streams, attack.length)
			}, overH2C(t), http.DefaultClient)
		})
	}
}

// besiegeOverH2C keeps as many requests open whose signature is made up and whose
// last byte never comes, each sent again a second after it was answered, until ctx
// ends. It returns when all have begun.
func (p *process) besiegeOverH2C(ctx context.Context, t *testing.T, streams, length int) {
	t.Helper()
	client := overH2C(t)
	client.Timeout = 0
	forged := logtoDelivery(t, forgedKey, "user_forged")
	begin := []byte(strings.Repeat(" ", length-1))
	var begun, all sync.WaitGroup
	for range streams {
		begun.Add(1)
		all.Go(func() {
			first := sync.OnceFunc(begun.Done)
			defer first()
			for ctx.Err() == nil {
				held, end := io.Pipe()
				body := io.MultiReader(bytes.NewReader(begin), readFunc(func([]byte) (int, error) { first(); return 0, io.EOF }), held)
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.webhooks+"/webhooks/logto", body)
				if err != nil {
					return
				}
				request.ContentLength = int64(length)
				request.Header = forged.header.Clone()
				if response, err := client.Do(request); err == nil {
					_ = response.Body.Close()
				}
				_ = end.Close()
				first()
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	begun.Wait()
	t.Cleanup(all.Wait)
}

// readFunc is an io.Reader.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
