package handlers_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// untouchable is a body that nobody may read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestRefusedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(r *http.Request)
		status int
		code   string
		reason fault.Reason
	}{
		{"wrong token", header("X-Token", "wrong"), 401, "unauthenticated", fault.ReasonBadToken},
		{"too large by its header", func(r *http.Request) { r.ContentLength = maxBody + 1 }, 413, "too_large", fault.ReasonBodyTooLarge},
		{"gzip", header("Content-Encoding", "gzip"), 415, "unsupported", fault.ReasonEncoding},
		{"list of encodings", header("Content-Encoding", "identity, br"), 415, "unsupported", fault.ReasonEncoding},
		{
			"repeated encoding", func(r *http.Request) { r.Header["Content-Encoding"] = []string{"identity", "gzip"} },
			415, "unsupported", fault.ReasonEncoding,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.provider.Receive = func(http.Header, []byte) (deletion.Delivery, error) {
				t.Error("the body was decoded")
				return deletion.Delivery{}, nil
			}
			r := request(t, untouchable{t})
			r.ContentLength = -1
			tt.change(r)
			w := serveOnce(e.handler(), r)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, refusal(tt.code), w.Body.String())
			require.Equal(t, string(tt.reason), e.line(t)["reason"])
			require.NotContains(t, e.line(t), "event_id")
			require.Equal(t, map[string]int{
				"webhooks_total{" + tt.code + ",clerk}": 1, "webhook_duration_seconds{clerk}": 1,
			}, e.counted(t))
		})
	}
}

func TestProviderGetsTheRawBody(t *testing.T) {
	t.Parallel()
	whole := make([]byte, maxBody)
	_, err := rand.Read(whole)
	require.NoError(t, err)
	for _, change := range []func(r *http.Request){
		func(*http.Request) {},
		func(r *http.Request) { r.ContentLength = -1 }, // chunked
		header("Content-Encoding", "Identity"),
	} {
		e := newEdge(t)
		e.provider.Receive = func(h http.Header, body []byte) (deletion.Delivery, error) {
			if string(body) != string(whole) || h.Get("X-Token") != token {
				return deletion.Delivery{}, errors.New("another body or header")
			}
			return one(), nil
		}
		got := send(t, e.serve(t), http.MethodPost, "/webhooks/clerk", strings.NewReader(string(whole)), change)
		require.Equal(t, 202, got.status)
	}
}

// Bodies are read in pieces, which must fit together.
func TestBodiesOfEverySizeArriveWhole(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var got []byte
	e.provider.Receive = func(_ http.Header, body []byte) (deletion.Delivery, error) {
		got = body
		return one(), nil
	}
	h := e.handler()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 20479, 20480, 20481, 100_000, maxBody} {
		whole := make([]byte, size)
		_, err := rand.Read(whole)
		require.NoError(t, err)
		for _, r := range []io.Reader{bytes.NewReader(whole), iotest.HalfReader(bytes.NewReader(whole)), iotest.DataErrReader(bytes.NewReader(whole))} {
			require.Equal(t, 202, serveOnce(h, request(t, r)).Code)
			require.True(t, bytes.Equal(whole, got), size)
		}
	}
}

func TestChunkedBodyThatIsTooLarge(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	body := io.LimitReader(rand.Reader, 10<<20)
	got := send(t, e.serve(t), http.MethodPost, "/webhooks/clerk", body)
	require.Equal(t, 413, got.status)
	require.Equal(t, refusal("too_large"), got.body)
	require.Equal(t, "body_too_large", e.line(t)["reason"])
}

// Whoever sends nothing has to authenticate like everybody.
func TestEmptyBody(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.provider.Receive = func(_ http.Header, body []byte) (deletion.Delivery, error) {
		if len(body) != 0 {
			return deletion.Delivery{}, errors.New("the body is not empty")
		}
		return deletion.Delivery{}, fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "no signature matches")
	}
	got := send(t, e.serve(t), http.MethodPost, "/webhooks/clerk", http.NoBody)
	require.Equal(t, 401, got.status)
	require.Equal(t, refusal("unauthenticated"), got.body)
}

// serveReal serves with this package's own server, but for one timeout.
func serveReal(t *testing.T, h http.Handler, readTimeout time.Duration) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = handlers.NewServer(h, zap.NewNop())
	s.Config.ReadTimeout = readTimeout
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// sendRaw writes a request's head and the beginning of its body.
func sendRaw(t *testing.T, s *httptest.Server, length int, body string) *net.TCPConn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /webhooks/clerk HTTP/1.1\r\nHost: x\r\nX-Token: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s",
		token, requestID, length, body)
	require.NoError(t, err)
	tcp, ok := conn.(*net.TCPConn)
	require.True(t, ok)
	return tcp
}

func receiveRaw(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	read, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(read)
}

func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	conn := sendRaw(t, serveReal(t, e.handler(), time.Minute), 100, `{"type":`)
	require.NoError(t, conn.CloseWrite())
	status, body := receiveRaw(t, conn)
	require.Equal(t, 400, status)
	require.Equal(t, refusal("malformed"), body)
	require.Equal(t, "body_read", e.line(t)["reason"])
}

func TestBodyThatComesTooSlowly(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	conn := sendRaw(t, serveReal(t, e.handler(), 100*time.Millisecond), 100, `{"type":`)
	status, body := receiveRaw(t, conn)
	require.Equal(t, 503, status)
	require.Equal(t, refusal("unavailable"), body)
	require.Equal(t, "body_read", e.line(t)["reason"])
}

func TestTooManyBodiesInFlight(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.options.BodyBudget = 100
	entered, leave := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(leave) })
	defer release() // A failing test must not leave the server waiting.
	e.provider.Receive = func(_ http.Header, body []byte) (deletion.Delivery, error) {
		if strings.HasPrefix(string(body), "slow") {
			close(entered)
			<-leave
		}
		return one(), nil
	}
	s := e.serve(t)
	conn := sendRaw(t, s, 94, "slow"+strings.Repeat("x", 90))
	<-entered

	small := func() reply { return send(t, s, http.MethodPost, "/webhooks/clerk", strings.NewReader("12345678")) }
	got := small()
	require.Equal(t, 503, got.status)
	require.Equal(t, refusal("unavailable"), got.body)
	require.Equal(t, "5", got.header.Get("Retry-After"))
	require.Equal(t, "overload", e.line(t)["reason"])
	require.Equal(t, 1, e.counted(t)["webhooks_total{unavailable,clerk}"])

	release()
	status, _ := receiveRaw(t, conn)
	require.Equal(t, 202, status)
	require.Equal(t, 202, small().status, "the budget was given back")
}

// slowBody is a body of which the end never comes.
type slowBody struct {
	io.Reader

	end func(error) error
}

func newSlowBody(begin string) *slowBody {
	r, w := io.Pipe()
	return &slowBody{io.MultiReader(strings.NewReader(begin), r), w.CloseWithError}
}

// deadlined is the writer of a connection whose body is slow.
type deadlined struct {
	*httptest.ResponseRecorder

	body *slowBody
}

func (d deadlined) SetReadDeadline(time.Time) error { return d.body.end(os.ErrDeadlineExceeded) }

func TestBodiesOfUnknownSenders(t *testing.T) { //nolint:tparallel // its steps come one after the other
	t.Parallel()
	const most = 512
	e := newEdge(t)
	e.provider.MaxBody = 64 << 10
	h := e.handler()
	var slow [most + 2]deadlined
	var answered [most + 2]chan struct{}
	begin := func(i int) {
		slow[i], answered[i] = deadlined{httptest.NewRecorder(), newSlowBody("{")}, make(chan struct{})
		reading := make(chan struct{})
		slow[i].body.Reader = io.MultiReader(readerFunc(func([]byte) (int, error) { close(reading); return 0, io.EOF }), slow[i].body.Reader)
		r := request(t, slow[i].body)
		go func() {
			defer close(answered[i])
			h.ServeHTTP(slow[i], r)
		}()
		<-reading
	}
	for i := range most {
		begin(i)
	}
	t.Run("let the newest in, and the oldest makes room", func(t *testing.T) { //nolint:paralleltest // one step after the other
		begin(most)
		<-answered[0]
		require.Equal(t, 503, slow[0].Code)
		require.Equal(t, refusal("unavailable"), slow[0].Body.String())
		require.Equal(t, "overload", e.line(t)["reason"])
		require.Equal(t, 202, serveOnce(h, request(t, strings.NewReader("{}"))).Code)
		<-answered[1]
	})
	t.Run("leave their place when they end", func(t *testing.T) { //nolint:paralleltest // one step after the other
		require.NoError(t, slow[2].body.end(io.EOF))
		<-answered[2]
		require.Equal(t, 202, slow[2].Code)
		begin(most + 1)
		require.Equal(t, 202, serveOnce(h, request(t, strings.NewReader("{}"))).Code)
	})
	for i := 3; i < most+2; i++ {
		_ = slow[i].body.end(io.EOF) // never fails
		<-answered[i]
	}
	require.Equal(t, 202, slow[most+1].Code)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A connection that announces much and sends nothing takes nothing from others.
func TestAnnouncedBytesAreNotCharged(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.options.BodyBudget = 100
	s := serveReal(t, e.handler(), time.Minute)
	for range 10 {
		sendRaw(t, s, 100, "")
	}
	for range 20 { // More than the budget together: it is given back.
		require.Equal(t, 202, send(t, s, http.MethodPost, "/webhooks/clerk", strings.NewReader("12345678")).status)
	}
	s.CloseClientConnections()
}
