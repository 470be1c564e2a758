package handlers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
)

const (
	token     = "token-which-is-secret"
	requestID = "rid-1"
	maxBody   = 1 << 20
)

// checkToken knows one token.
func checkToken(h http.Header) error {
	if h.Get("X-Token") != token {
		return fault.New(fault.Unauthenticated, fault.ReasonBadToken, "token %q is wrong", h.Get("X-Token"))
	}
	return nil
}

// fakeProvider knows one token; receive stands for everything that comes after.
func fakeProvider(name string, receive func(http.Header, []byte) (deletion.Delivery, error)) *handlers.Provider {
	return &handlers.Provider{Name: name, Title: strings.ToUpper(name[:1]) + name[1:], MaxBody: maxBody, CheckHeader: checkToken, Receive: receive}
}

// delivers makes a Receive that always says the same.
func delivers(d deletion.Delivery, err error) func(http.Header, []byte) (deletion.Delivery, error) {
	return func(http.Header, []byte) (deletion.Delivery, error) { return d, err }
}

// acceptorFunc is an Acceptor.
type acceptorFunc func(ctx context.Context, d []deletion.Deletion) (deletion.Receipt, error)

func (f acceptorFunc) Accept(ctx context.Context, d []deletion.Deletion) (deletion.Receipt, error) {
	return f(ctx, d)
}

// answers makes an Acceptor that always says the same.
func answers(r deletion.Receipt, err error) acceptorFunc {
	return func(context.Context, []deletion.Deletion) (deletion.Receipt, error) { return r, err }
}

// edge is the public handler with everything around it.
type edge struct {
	provider *handlers.Provider
	more     []handlers.Provider // besides provider
	options  handlers.Options
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
}

// newEdge takes one deletion per request and stores it; tests change that
// before they ask for the handler or a server.
func newEdge(t *testing.T) *edge {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	reg := prometheus.NewRegistry()
	return &edge{
		provider: fakeProvider("clerk", delivers(one(), nil)), registry: reg, logs: logs,
		options: handlers.Options{
			Acceptor: answers(deletion.Receipt{Accepted: 1}, nil),
			Metrics:  metrics.New(reg, metrics.Options{Providers: []string{"clerk", "auth0"}}),
			Logger:   zap.New(core),
			Now:      time.Now,
		},
	}
}

func one() deletion.Delivery {
	return deletion.Delivery{EventID: "evt_1", Deletions: []deletion.Deletion{{Provider: "clerk", EventID: "evt_1", ExternalID: "user_1"}}}
}

func (e *edge) handler() http.Handler {
	e.options.Providers = append([]handlers.Provider{*e.provider}, e.more...)
	return handlers.New(e.options)
}

func (e *edge) serve(t *testing.T) *httptest.Server {
	t.Helper()
	return serve(t, e.handler())
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// lines returns the access log lines.
func (e *edge) lines() []observer.LoggedEntry { return e.logs.FilterMessage("webhook received").All() }

// line returns the only access log line's fields.
func (e *edge) line(t *testing.T) map[string]any {
	t.Helper()
	require.Len(t, e.lines(), 1)
	return e.lines()[0].ContextMap()
}

// counted returns the counters and histograms that are not 0.
func (e *edge) counted(t *testing.T) map[string]int {
	t.Helper()
	families, err := e.registry.Gather()
	require.NoError(t, err)
	all := make(map[string]int)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n := int(m.GetCounter().GetValue()) + int(m.GetHistogram().GetSampleCount())
			if n == 0 {
				continue
			}
			labels := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			name := strings.TrimPrefix(f.GetName(), "polar_bridge_")
			all[fmt.Sprintf("%s{%s}", name, strings.Join(labels, ","))] = n
		}
	}
	return all
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

// send asks with a good token and a request id unless change says otherwise.
func send(t *testing.T, s *httptest.Server, method, path string, body io.Reader, change ...func(r *http.Request)) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	require.NoError(t, err)
	r.Header.Set("X-Token", token)
	r.Header.Set("X-Request-Id", requestID)
	for _, f := range change {
		f(r)
	}
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	read, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{res.StatusCode, res.Header, string(read)}
}

// post sends a small body to the provider.
func post(t *testing.T, s *httptest.Server, change ...func(r *http.Request)) reply {
	t.Helper()
	return send(t, s, http.MethodPost, "/webhooks/clerk", strings.NewReader(`{}`), change...)
}

func header(name, value string) func(r *http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// refusal is the body of an answer which is not 2xx.
func refusal(code string) string {
	return fmt.Sprintf(`{"error":%q,"request_id":%q}`, code, requestID)
}

// acknowledged is the body of an answer which is 2xx.
func acknowledged(status string, accepted, duplicates, ignored int) string {
	return fmt.Sprintf(`{"status":%q,"accepted":%d,"duplicates":%d,"ignored":%d}`, status, accepted, duplicates, ignored)
}

// request is one that does not go through net/http.
func request(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/clerk", body)
	r.Header.Set("X-Token", token)
	r.Header.Set("X-Request-Id", requestID)
	return r
}

func serveOnce(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
