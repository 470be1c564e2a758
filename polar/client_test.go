package polar_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestDeleteThenNotFound(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	client := newClient(t, server.URL().String())
	answer, err := client.DeleteCustomer(t.Context(), "u", false)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), answer.Date, time.Minute)
	answer.Date = time.Time{}
	require.Equal(t, polar.Answer{
		Result: polar.ResultDeleted, StatusCode: 204, Version: "2026-10", RequestID: "0000000000000001-TST",
	}, answer)
	answer, err = client.DeleteCustomer(t.Context(), "u", false)
	require.NoError(t, err)
	require.Equal(t, polar.ResultNotFound, answer.Result)
	require.Equal(t, "ResourceNotFound", answer.ErrorCode)
}

func TestProbeDeletesNothing(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AllowToken("polar_oat_readonly", polartest.TokenReadOnly)
	token := polartest.DefaultToken
	client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Token = func() string { return token } })
	for range 2 {
		answer, err := client.Probe(t.Context())
		require.NoError(t, err)
		require.Equal(t, polar.ResultNotFound, answer.Result)
	}
	journal := server.Journal()
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, journal[0].ExternalID)
	require.NotEqual(t, journal[0].ExternalID, journal[1].ExternalID)

	for token, code := range map[string]string{"polar_oat_readonly": "insufficient_scope", "x": "invalid_token", "": "Unauthorized"} {
		client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Token = func() string { return token } })
		answer, err := client.Probe(t.Context())
		require.NoError(t, err)
		require.Equal(t, polar.ResultUnauthorized, answer.Result)
		require.Equal(t, code, answer.ErrorCode)
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	headers := make(chan http.Header, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	var asked atomic.Int32
	client := newClient(t, server.URL, func(o *polar.Options) {
		o.UserAgent = "polar-bridge/1"
		o.Token = func() string { return []string{"first", "rotated"}[asked.Add(1)-1] }
	})
	for _, token := range []string{"first", "rotated"} {
		_, err := client.Probe(t.Context())
		require.NoError(t, err)
		header := <-headers
		require.Equal(t, "Bearer "+token, header.Get("Authorization"))
		require.Equal(t, "application/json", header.Get("Accept"))
		require.Equal(t, "polar-bridge/1", header.Get("User-Agent"))
		require.NotContains(t, header, "Polar-Version")
		require.NotContains(t, header, "Traceparent")
	}
}

func TestARequestCarriesItsContextsTrace(t *testing.T) {
	t.Parallel()
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	for _, want := range []string{traceparent, ""} {
		_, err := client.Probe(polar.WithTraceparent(t.Context(), want))
		require.NoError(t, err)
	}
	journal := server.Journal()
	require.Equal(t, []string{traceparent, ""}, []string{journal[0].Traceparent, journal[1].Traceparent})
}

func TestOnRequest(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	var heard []string
	client := newClient(t, server.URL().String(), func(o *polar.Options) {
		now := time.Unix(0, 0)
		o.Now = func() time.Time { now = now.Add(time.Second); return now }
		o.OnRequest = func(operation, code string, duration time.Duration) {
			heard = append(heard, operation+" "+code)
			require.Positive(t, duration)
		}
	})
	server.FailNext(1, polartest.Gateway(503))
	server.FailNext(1, polartest.ResetBeforeCommit())
	_, _ = client.Probe(t.Context())
	_, _ = client.Probe(t.Context())
	_, _ = client.DeleteCustomer(t.Context(), "u", false)
	_, _ = client.DeleteCustomer(t.Context(), "a/b", false)
	require.Equal(t, []string{"probe 503", "probe error", "delete_customer 404"}, heard)
}

func TestRedirectsAreNeverFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := polartest.Start(t, polartest.Options{})
	elsewhere.AddCustomer(polartest.Customer{ExternalID: "u"})
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	for _, location := range []string{elsewhere.URL().String() + "/v1/customers/external/u", "/v1/customers/external/u", "http://[::1", ""} {
		server.FailNext(1, polartest.Redirect(location))
		answer, err := client.DeleteCustomer(t.Context(), "u", false)
		require.NoError(t, err)
		require.Equal(t, polar.ResultUnexpected, answer.Result)
		require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
	}
	require.Zero(t, elsewhere.Calls())
	require.Equal(t, 4, server.Calls())
}

// endless is a body that never ends and counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	rest := &endless{}
	client := newClient(t, "http://polar.invalid", func(o *polar.Options) {
		o.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader(`{"error":"ResourceNotFound"}`), rest)
			return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: io.NopCloser(body)}, nil
		})
	})
	answer, err := client.DeleteCustomer(t.Context(), "u", false)
	require.NoError(t, err)
	require.Equal(t, 404, answer.StatusCode)
	require.LessOrEqual(t, rest.read, 64<<10)
}

func TestAnswerLostAfterReset(t *testing.T) {
	t.Parallel()
	for fault, after := range map[string]struct {
		fault polartest.Fault
		want  polar.Result
	}{
		"before commit": {polartest.ResetBeforeCommit(), polar.ResultDeleted},
		"after commit":  {polartest.ResetAfterCommit(), polar.ResultNotFound},
		"bad gateway":   {polartest.Gateway(502).AfterCommit(), polar.ResultNotFound},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{})
			server.AddCustomer(polartest.Customer{ExternalID: "u"})
			server.FailNext(1, after.fault)
			client := newClient(t, server.URL().String())
			answer, _ := client.DeleteCustomer(t.Context(), "u", false)
			require.True(t, answer.AnswerLost)
			require.Contains(t, []polar.Result{polar.ResultNetworkError, polar.ResultServerError}, answer.Result)
			answer, err := client.DeleteCustomer(t.Context(), "u", false)
			require.NoError(t, err)
			require.Equal(t, after.want, answer.Result)
			require.Equal(t, 1, server.Deleted("u"))
			require.Equal(t, 2, server.Calls())
		})
	}
}

func TestNoConnectionLosesNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = discard()
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, server := range map[string]string{
		"refused":       "http://" + listener.Addr().String(),
		"unknown host":  "http://polar.invalid",
		"untrusted":     encrypted.URL,
		"not encrypted": strings.Replace(plain.URL, "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := newClient(t, server).DeleteCustomer(t.Context(), "u", false)
			require.Error(t, err)
			require.Equal(t, polar.Answer{Result: polar.ResultNetworkError}, answer)
		})
	}
}

func TestCancelMidCall(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.SetFault(polartest.Hang())
	client := newClient(t, server.URL().String())
	for i, cause := range []error{nil, errors.New("stopped")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			_ = server.WaitForCalls(ctx, i+1)
			cancel(cause)
		}()
		answer, err := client.DeleteCustomer(ctx, "u", false)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, polar.Answer{Result: polar.ResultNetworkError, AnswerLost: true}, answer)
	}
}

func TestCancelBeforeCall(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	answer, err := newClient(t, server.URL().String()).DeleteCustomer(ctx, "u", false)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, polar.Answer{Result: polar.ResultNetworkError}, answer)
	require.Zero(t, server.Calls())
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.SetFault(polartest.Hang())
	client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Timeout = 100 * time.Millisecond })
	answer, err := client.DeleteCustomer(t.Context(), "u", false)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, polar.Answer{Result: polar.ResultNetworkError, AnswerLost: true}, answer)
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	server.FailNext(1, polartest.Truncated())
	answer, err := client.DeleteCustomer(t.Context(), "u", false)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, polar.ResultNetworkError, answer.Result)
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.True(t, answer.AnswerLost)

	// Every other status says enough by itself.
	broken := polartest.InternalError()
	broken.Truncate = true
	server.FailNext(1, broken)
	answer, err = client.DeleteCustomer(t.Context(), "u", false)
	require.NoError(t, err)
	require.Equal(t, polar.ResultServerError, answer.Result)
	require.False(t, answer.AnswerLost)
}
