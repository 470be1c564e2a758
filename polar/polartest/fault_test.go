package polartest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// try makes one DELETE of customer u; the status is 0 when there is no answer.
func try(ctx context.Context, t *testing.T, server *polartest.Server) (int, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, server.URL().String()+external+"u", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("Content-Type") + "|" + string(body), err
}

func TestFaultsAnswerInPolarsPlace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault  polartest.Fault
		name   string
		status int
		answer string
	}{
		{polartest.InternalError(), "internal_error", 500, "text/plain; charset=utf-8|Internal Server Error"},
		{polartest.Gateway(520), "gateway_520", 520, "text/html; charset=UTF-8|<!DOCTYPE html>"},
		{polartest.Challenge(), "challenge", 403, "text/html; charset=UTF-8|<!DOCTYPE html>"},
		{polartest.Cloudflare(1020), "cloudflare_1020", 403, `"error_code":1020`},
		{polartest.HTMLPage(), "html_page", 200, "text/html; charset=UTF-8|<!DOCTYPE html>"},
		{polartest.RateLimited(8 * time.Second), "rate_limited", 429, "|"},
		{polartest.Redirect("/elsewhere"), "redirect", 307, "|"},
		{polartest.VersionRemoved(), "version_removed", 404, "application/json|" + notFoundB},
		{polartest.RouteMissing(), "route_missing", 404, "application/json|" + notFoundB},
		{polartest.Status(418, "text/plain", "teapot"), "status_418", 418, "text/plain|teapot"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{})
			server.AddCustomer(polartest.Customer{ExternalID: "u"})
			server.FailNext(2, tt.fault)
			server.FailNext(1, tt.fault.AfterCommit())
			for i, wantExists := range []bool{true, true, false} {
				status, answer, err := try(t.Context(), t, server)
				require.NoError(t, err)
				require.Equal(t, tt.status, status)
				require.Contains(t, answer, tt.answer)
				require.Equal(t, wantExists, server.Exists("u"))
				require.Equal(t, !wantExists, server.Journal()[i].Committed)
				require.Equal(t, tt.status, server.Journal()[i].Status)
			}
			require.Equal(t, tt.name, server.Journal()[0].Fault)
			require.Equal(t, tt.name+"_after_commit", server.Journal()[2].Fault)
			status, answer, err := try(t.Context(), t, server)
			require.NoError(t, err)
			require.Equal(t, 404, status)
			require.Equal(t, "application/json|"+notFoundA, answer)
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	server.FailNext(1, polartest.ResetBeforeCommit())
	server.FailNext(1, polartest.ResetAfterCommit())
	for _, wantExists := range []bool{true, false} {
		status, _, err := try(t.Context(), t, server)
		require.Zero(t, status)
		require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
		require.Equal(t, wantExists, server.Exists("u"))
	}
	require.Zero(t, server.Journal()[1].Status)
	require.True(t, server.Journal()[1].Committed)
	require.Equal(t, 1, server.Deleted("u"))
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.SetFault(polartest.Truncated())
	status, answer, err := try(t.Context(), t, server)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 404, status)
	require.Equal(t, "application/json|"+notFoundA[:len(notFoundA)/2], answer)
}

func TestHangEndsWithTheClient(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	for i, fault := range []polartest.Fault{polartest.Hang(), polartest.Slow(time.Hour), polartest.Slow(time.Hour).AfterCommit()} {
		server.SetFault(fault)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = server.WaitForCalls(ctx, i+1)
			if fault.Commit {
				_ = server.WaitForDeleted(ctx, "u")
			}
			cancel()
		}()
		_, _, err := try(ctx, t, server)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, !fault.Commit, server.Exists("u"))
	}
}

func TestSlowAnswersInTheEnd(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	fault := polartest.Gateway(504).AfterCommit()
	fault.Delay = 20 * time.Millisecond
	server.SetFault(fault)
	start := time.Now()
	status, _, err := try(t.Context(), t, server)
	require.NoError(t, err)
	require.Equal(t, 504, status)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	require.False(t, server.Exists("u"))
}

func TestScript(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.SetFaultFunc(func(entry polartest.Entry) polartest.Fault {
		if entry.Seq%2 == 0 && entry.ExternalID == "u" {
			return polartest.InternalError()
		}
		return polartest.Fault{}
	})
	server.FailNext(1, polartest.Gateway(502))
	server.FailNext(1, polartest.Gateway(503))
	server.FailNext(0, polartest.Challenge())
	var statuses []int
	for range 5 {
		status, _, err := try(t.Context(), t, server)
		require.NoError(t, err)
		statuses = append(statuses, status)
	}
	server.ClearFaults()
	status, _, err := try(t.Context(), t, server)
	require.NoError(t, err)
	require.Equal(t, []int{502, 503, 404, 500, 404, 404}, append(statuses, status))
}

func TestCloseBreaksCallsOff(t *testing.T) {
	t.Parallel()
	server := polartest.New(polartest.Options{})
	require.Nil(t, server.URL())
	_, err := server.Start("")
	require.NoError(t, err)
	_, err = server.Start("")
	require.Error(t, err)
	server.SetFault(polartest.Hang())
	closed := make(chan error, 1)
	go func() {
		_ = server.WaitForCalls(t.Context(), 1)
		closed <- server.Close()
	}()
	_, _, err = try(t.Context(), t, server)
	require.Error(t, err)
	require.NoError(t, <-closed)
	require.NoError(t, server.Close())

	server.ClearFaults()
	_, err = server.Start(server.URL().Host) // as after an outage, at the same address
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	status, _, err := try(t.Context(), t, server)
	require.NoError(t, err)
	require.Equal(t, 404, status)
}

func TestStartOnABusyAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	_, err = polartest.New(polartest.Options{}).Start(listener.Addr().String())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}
