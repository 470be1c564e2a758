package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// service is what a Service of Kubernetes is: a new connection leads to a replica that
// was ready a moment ago, and stays there as long as both ends keep it.
type service struct {
	fleet
	listener net.Listener
	latency  time.Duration // of the network, each way
}

func newService(t *testing.T, latency time.Duration) *service {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &service{listener: listener, latency: latency}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { s.lead(t, connection) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		open.Wait()
	})
	return s
}

// lead passes a connection on until either end closes it.
func (s *service) lead(t *testing.T, from net.Conn) {
	t.Helper()
	var dialer net.Dialer
	to, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.next().webhooks, "http://"))
	if err != nil {
		t.Error(err)
		_ = from.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(late{way[1], s.latency}, way[0])
			<-time.After(s.latency)
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// late is a connection that is far away.
type late struct {
	net.Conn

	latency time.Duration
}

func (l late) Write(p []byte) (int, error) {
	<-time.After(l.latency)
	return l.Conn.Write(p)
}

// endpointsFollow takes a replica out of the service when its readiness turns red.
func (s *service) endpointsFollow(t *testing.T, p *process) {
	t.Helper()
	require.Eventually(t, func() bool { return !p.ready(t) }, patience, 50*time.Millisecond)
	require.Same(t, p, s.takeOldest())
}

// A sender that keeps its connections open, and does not repeat, loses nothing while
// all replicas are replaced.
func TestARollingUpgradeBreaksNoConnectionThatIsKeptOpen(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 200 * time.Millisecond // together 40 a second
	env := newEnvironment(t, databasetest.Postgres(t), "SHUTDOWN_DELAY=2s")
	env.polar.SetFault(polartest.Slow(10 * time.Millisecond))
	ids := env.addCustomers(5000)
	s := newService(t, 25*time.Millisecond)
	for range 3 {
		s.add(env.start(t))
	}
	var sent, broken atomic.Int64
	done := make(chan struct{})
	var load sync.WaitGroup
	for range senders {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		load.Go(func() {
			tick := time.NewTicker(each)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				i, began := sent.Add(1)-1, time.Now()
				d := sign(t, "clerk", fmt.Sprint("msg_", i), ids[i])
				status, text := s.postOnce(t, client, d)
				if status != http.StatusAccepted && stoodStill(began, time.Now()) > 0 { // no sender's fault, and not the bridge's
					status, text = s.next().post(t.Context(), client, d)
				}
				if status/100 != 2 {
					broken.Add(1)
					t.Errorf("%d %s", status, text)
				}
			}
		})
	}
	for range 6 { // each of the three, twice
		old := s.oldest()
		s.add(env.start(t))
		require.NoError(t, old.command.Process.Signal(syscall.SIGTERM))
		s.endpointsFollow(t, old)
		<-old.exited
		require.True(t, old.command.ProcessState.Success(), old.output())
	}
	close(done)
	load.Wait()
	t.Logf("%d events, %d broken", sent.Load(), broken.Load())
	require.Zero(t, broken.Load())
	env.waitDeleted(t, ids[:sent.Load()], time.Minute)
}

func (f *fleet) oldest() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live[0]
}

// postOnce sends a delivery over the service. Without GetBody the client cannot repeat it.
func (s *service) postOnce(t *testing.T, client *http.Client, d delivery) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.listener.Addr().String()+"/webhooks/"+d.provider, strings.NewReader(string(d.body)))
	if err != nil {
		return 0, err.Error()
	}
	request.Header, request.GetBody = d.header.Clone(), nil
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}
