package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// What strangers may cost, whatever they do.
const (
	mostMemory     = 192 << 10 // kB of RSS: three quarters of what the chart allows
	mostGoroutines = 1500
	mostLatency    = time.Second // of a genuine event meanwhile
	attackTime     = 4 * time.Second
	mostLeftOver   = 20 // goroutines when the strangers are gone, more than before they came
)

func TestStrangersCostLittle(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	// The queue and the connections to Polar are at work before anybody is counted.
	for i, id := range env.addCustomers(20) {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_before_", i), id), http.StatusAccepted)
	}
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 20, time.Minute)
	before, err := p.goroutines(t.Context())
	require.NoError(t, err)
	attacks := []struct {
		name string
		run  func(ctx context.Context, t *testing.T, p *process)
	}{
		{"idle connections", idleConnections},
		{"connections that say nothing", silentConnections},
		{"slowloris", slowloris},
		{"100 signatures in one header", repeatedly(401, func(t *testing.T) delivery {
			t.Helper()
			d := signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk")
			return d.with("Svix-Signature", strings.Repeat(d.header.Get("Svix-Signature")+" ", 100))
		})},
		{"deeply nested JSON, validly signed", repeatedly(400, func(t *testing.T) delivery {
			t.Helper()
			return signBody(t, "msg_deep", strings.Repeat("[", 64<<10), time.Now())
		})},
		{"a flood of headers", headerFlood},
	}
	for _, attack := range attacks {
		ctx, cancel := context.WithTimeout(t.Context(), attackTime)
		genuine := p.keepSending(ctx, t, attack.name)
		usage := p.watch(ctx)
		attack.run(ctx, t, p)
		<-ctx.Done()
		cancel()
		sent, worst := genuine.result(t)
		memory, goroutines := usage.result(t)
		t.Logf("%s: %d genuine events, the slowest took %s; %d kB RSS, %d goroutines at most", attack.name, sent, worst, memory, goroutines)
		require.Positive(t, sent, attack.name)
		require.Less(t, worst, mostLatency, attack.name)
		require.LessOrEqual(t, memory, mostMemory, attack.name)
		require.LessOrEqual(t, goroutines, mostGoroutines, attack.name)
	}
	var after int
	require.Eventually(t, func() bool {
		after, err = p.goroutines(t.Context())
		return err == nil && after <= before+mostLeftOver
	}, patience, 100*time.Millisecond, "%d goroutines before the strangers came", before)
	t.Logf("%d goroutines before the strangers came, %d afterwards", before, after)
	require.NotContains(t, p.output(), "panic")
	p.noSecrets(t)
}

func TestHeadersAreJudgedBeforeTheBody(t *testing.T) {
	t.Parallel()
	p := newEnvironment(t, databasetest.SQLite(t)).start(t)
	now := time.Now()
	good := signBody(t, "msg_1", clerkBody, now)
	tests := []struct {
		name   string
		send   delivery
		answer string
	}{
		{"no signature", good.with("Svix-Signature", ""), "HTTP/1.1 401 "},
		{"no timestamp", good.with("Svix-Timestamp", ""), "HTTP/1.1 401 "},
		{"stale", signBody(t, "msg_1", clerkBody, now.Add(-time.Hour)), "HTTP/1.1 401 "},
		{"from the future", signBody(t, "msg_1", clerkBody, now.Add(time.Hour)), "HTTP/1.1 401 "},
		{"100 signatures", good.with("Svix-Signature", strings.Repeat(good.header.Get("Svix-Signature")+" ", 100)), "HTTP/1.1 401 "},
		{"wrong token", auth0Delivery("Bearer wrong-wrong-wrong", ""), "HTTP/1.1 401 "},
		{"packed", good.with("Content-Encoding", "gzip"), "HTTP/1.1 415 "},
		{"not configured", delivery{"okta", good.header, nil}, "HTTP/1.1 404 "},
		{"sound headers", good, "HTTP/1.1 100 "},
	}
	for _, tt := range tests {
		conn, err := p.dial(t.Context(), tt.send.head(mostBody, "Expect: 100-continue\r\n"))
		require.NoError(t, err, tt.name)
		asked := time.Now()
		require.NoError(t, conn.SetReadDeadline(asked.Add(patience)))
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err, tt.name)
		require.Less(t, ran(asked), mostLatency, tt.name)
		require.Contains(t, line, tt.answer, tt.name)
		require.NoError(t, conn.Close())
	}
}

// head is the head of a request with the delivery's headers.
func (d delivery) head(length int, more string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "POST /webhooks/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s", d.provider, length, more)
	_ = d.header.Write(&text) // a strings.Builder takes everything
	return text.String() + "\r\n"
}

// dial opens a connection to the webhook listener and sends text.
func (p *process) dial(ctx context.Context, text string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.webhooks, "http://"))
	if err != nil {
		return nil, err
	}
	_, err = conn.Write([]byte(text))
	return conn, err
}

// hold opens connections that begin with text until there are n, or as many as
// the system lets us, and closes them when ctx ends.
func (p *process) hold(ctx context.Context, t *testing.T, n int, text string) []net.Conn {
	t.Helper()
	raiseFileLimit(t)
	var conns []net.Conn
	for len(conns) < n && ctx.Err() == nil {
		conn, err := p.dial(ctx, text)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Logf("only %d connections: %v", len(conns), err)
			break
		}
		if conn != nil {
			conns = append(conns, conn)
		}
	}
	context.AfterFunc(ctx, func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return conns
}

// raiseFileLimit lets the test open as many files as it may.
func raiseFileLimit(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

// idleConnections asks once and then does nothing.
func idleConnections(ctx context.Context, t *testing.T, p *process) {
	t.Helper()
	conns := p.hold(ctx, t, 10_000, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	t.Logf("%d connections were opened", len(conns))
}

func silentConnections(ctx context.Context, t *testing.T, p *process) {
	t.Helper()
	conns := p.hold(ctx, t, 10_000, "")
	t.Logf("%d connections were opened", len(conns))
}

// slowloris sends a head byte by byte.
func slowloris(ctx context.Context, t *testing.T, p *process) {
	t.Helper()
	conns := p.hold(ctx, t, 2000, "POST /webhooks/clerk HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, conn := range conns {
				_, _ = conn.Write([]byte("x")) // it may be closed already, which is right
			}
		case <-ctx.Done():
			return
		}
	}
}

// headerFlood sends heads without end.
func headerFlood(ctx context.Context, t *testing.T, p *process) {
	t.Helper()
	flood := "POST /webhooks/clerk HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a: b\r\n", 200_000)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for ctx.Err() == nil {
				if conn, _ := p.dial(ctx, flood); conn != nil { // it is broken off
					_ = conn.Close()
				}
			}
		})
	}
	senders.Wait()
}

// repeatedly posts the same over four connections, as fast as it goes.
func repeatedly(status int, prepare func(t *testing.T) delivery) func(context.Context, *testing.T, *process) {
	return func(ctx context.Context, t *testing.T, p *process) {
		t.Helper()
		d := prepare(t)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
		defer client.CloseIdleConnections()
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for ctx.Err() == nil {
					if got, text := p.post(ctx, client, d); got != status && ctx.Err() == nil {
						t.Errorf("%d %s, not %d", got, text, status)
						return
					}
				}
			})
		}
		senders.Wait()
	}
}
