package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

func TestLineOfAnAcceptedWebhook(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.provider.Receive = delivers(deletion.Delivery{
		EventID: "evt_1", Deletions: make([]deletion.Deletion, 2), Ignored: 1, IgnoreReason: deletion.IgnoreOtherType, Gateway: deletion.GatewayNeeded,
	}, nil)
	e.options.Acceptor = answers(deletion.Receipt{Accepted: 2}, nil)
	now := time.Unix(1_700_000_000, 0)
	e.options.Now = func() time.Time { now = now.Add(7 * time.Millisecond); return now }
	serveOnce(e.handler(), request(t, strings.NewReader(`{}`)))
	require.Equal(t, zap.InfoLevel, e.lines()[0].Level)
	require.Equal(t, map[string]any{
		"provider": "clerk", "outcome": "accepted", "reason": "other_type", "status": int64(202), "events": int64(3),
		"duration_ms": int64(7), "request_id": requestID, "remote_ip": "192.0.2.1", "event_id": "evt_1", "gateway": "needed",
	}, e.line(t))
}

func TestLevels(t *testing.T) {
	t.Parallel()
	foreign := deletion.Delivery{EventID: "evt_1", Ignored: 1, IgnoreReason: deletion.IgnoreOtherInstance}
	mixed := one()
	mixed.Ignored, mixed.IgnoreReason = 1, deletion.IgnoreOtherInstance
	tests := []struct {
		name    string
		receive func(http.Header, []byte) (deletion.Delivery, error)
		want    string
	}{
		{"accepted", delivers(one(), nil), "info"},
		{"ignored", delivers(deletion.Delivery{Ignored: 1, IgnoreReason: deletion.IgnorePattern}, nil), "info"},
		{"of another instance", delivers(foreign, nil), "warn"},
		{"in part of another instance", delivers(mixed, nil), "warn"},
		{"malformed", delivers(deletion.Delivery{}, fault.New(fault.Malformed, fault.ReasonBadJSON, "x")), "info"},
		{"unavailable", delivers(deletion.Delivery{}, fault.New(fault.Unavailable, "", "x")), "error"},
		{"a bug", delivers(deletion.Delivery{}, errors.New("x")), "error"},
	}
	for _, tt := range tests {
		e := newEdge(t)
		e.provider.Receive = tt.receive
		post(t, e.serve(t))
		e.line(t)
		require.Equal(t, tt.want, e.lines()[0].Level.String(), tt.name)
	}
}

func TestErrorOfTheAcceptorIsLogged(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.options.Acceptor = answers(deletion.Receipt{}, fault.New(fault.Unavailable, fault.ReasonDatabase, "disk is full"))
	post(t, e.serve(t))
	require.Equal(t, "disk is full", e.line(t)["error"])
	require.Equal(t, "database", e.line(t)["reason"])
	require.Equal(t, "evt_1", e.line(t)["event_id"])
}

// Whatever happens, the log has nothing of what was sent.
func TestLogHasNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	const body, query, mail = "marker-body", "marker-query", "jane@example.com"
	quoting := fmt.Errorf("cannot decode %s from %s with %s", body, mail, token)
	for _, err := range []error{
		nil, quoting,
		fault.New(fault.Malformed, fault.ReasonBadJSON, "x: %w", quoting),
		fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "x: %w", quoting),
		fault.New(fault.Unavailable, "x", "x: %w", quoting),
		fault.New(fault.Internal, "x", "x: %w", quoting),
	} {
		e := newEdge(t)
		e.provider.Receive = func(http.Header, []byte) (deletion.Delivery, error) {
			if err != nil {
				return deletion.Delivery{EventID: mail}, err
			}
			return one(), nil
		}
		s := e.serve(t)
		for _, path := range []string{"/webhooks/clerk", "/" + mail} {
			got := send(t, s, http.MethodPost, path+"?q="+query, strings.NewReader(body+mail),
				header("User-Agent", "marker-agent"), header("X-Mail", mail))
			for _, word := range []string{body, query, mail, token, "marker-agent"} {
				require.NotContains(t, got.body, word)
			}
		}
		require.Len(t, e.lines(), 2)
		for _, entry := range e.logs.All() {
			text, err := json.Marshal(entry.ContextMap())
			require.NoError(t, err)
			for _, word := range []string{body, query, mail, token, "marker-agent", "user_1"} {
				require.NotContains(t, entry.Message+string(text), word)
			}
		}
	}
}

// clock stands still until it is told otherwise.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLinesOfStrangersAreSampled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(r *http.Request)
		series string
	}{
		{"401", header("X-Token", "wrong"), "webhooks_total{unauthenticated,clerk}"},
		{"404", func(r *http.Request) { r.URL.Path = "/nowhere" }, "webhooks_total{not_found,none}"},
		{"413", func(r *http.Request) { r.ContentLength = maxBody + 1 }, "webhooks_total{too_large,clerk}"},
		{"415", header("Content-Encoding", "gzip"), "webhooks_total{unsupported,clerk}"},
		{
			"body that breaks off", func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) },
			"webhooks_total{malformed,clerk}",
		},
		{
			"overload", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("over the budget")) },
			"webhooks_total{unavailable,clerk}",
		},
		{"405", func(r *http.Request) { r.Method = http.MethodPut }, "webhooks_total{not_found,none}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			c := &clock{now: time.Unix(1_700_000_000, 0)}
			e.options.Now = c.Now
			e.options.BodyBudget = 10
			h := e.handler()
			ask := func(n int) {
				for range n {
					r := request(t, http.NoBody)
					tt.change(r)
					serveOnce(h, r)
				}
			}
			ask(10)
			require.Len(t, e.lines(), 10)
			ask(99)
			require.Len(t, e.lines(), 10)
			ask(1)
			require.Len(t, e.lines(), 11)
			c.Advance(time.Second)
			ask(5)
			require.Len(t, e.lines(), 16)
			require.Equal(t, 115, e.counted(t)[tt.series], "all are counted")
		})
	}
}

// What was authentic has its line, always.
func TestOtherLinesAreNotSampled(t *testing.T) {
	t.Parallel()
	for _, change := range []func(e *edge){
		func(*edge) {},
		func(e *edge) {
			e.provider.Receive = delivers(deletion.Delivery{}, fault.New(fault.Malformed, fault.ReasonBadJSON, "x"))
		},
		func(e *edge) {
			e.options.Acceptor = answers(deletion.Receipt{}, fault.New(fault.Unavailable, fault.ReasonDatabase, "x"))
		},
	} {
		e := newEdge(t)
		change(e)
		c := &clock{now: time.Unix(1_700_000_000, 0)}
		e.options.Now = c.Now
		h := e.handler()
		for range 50 {
			serveOnce(h, request(t, strings.NewReader(`{}`)))
		}
		require.Len(t, e.lines(), 50)
	}
}

// Whoever is refused may name a trace as well: it is text of a fixed length and alphabet.
func TestTheTraceOfARequestIsInItsLineAndOnItsDeletions(t *testing.T) {
	t.Parallel()
	const traceparent, traceID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"
	refuses := delivers(deletion.Delivery{}, fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "x"))
	for name, tt := range map[string]struct {
		headers []string
		receive func(http.Header, []byte) (deletion.Delivery, error)
		want    any
		stored  deletion.Traceparent
	}{
		"taken":          {[]string{traceparent}, delivers(one(), nil), traceID, traceparent},
		"refused":        {[]string{traceparent}, refuses, traceID, ""},
		"without one":    {nil, delivers(one(), nil), nil, ""},
		"an invalid one": {[]string{strings.ToUpper(traceparent)}, delivers(one(), nil), nil, ""},
		"two":            {[]string{traceparent, traceparent}, delivers(one(), nil), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.provider.Receive = tt.receive
			var stored deletion.Traceparent
			e.options.Acceptor = acceptorFunc(func(_ context.Context, d []deletion.Deletion) (deletion.Receipt, error) {
				stored = d[0].Traceparent
				return deletion.Receipt{Accepted: 1}, nil
			})
			r := request(t, strings.NewReader(`{}`))
			for _, value := range tt.headers {
				r.Header.Add("traceparent", value)
			}
			serveOnce(e.handler(), r)
			require.Equal(t, tt.want, e.line(t)["trace_id"])
			require.Equal(t, tt.stored, stored)
		})
	}
}
