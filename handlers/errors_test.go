package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Every kind, and what is not of a kind, from a provider.
func TestProviderErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{fault.New(fault.Malformed, fault.ReasonBadJSON, "x"), 400, "malformed"},
		{fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "x"), 401, "unauthenticated"},
		{fault.New(fault.NotFound, "", "x"), 404, "not_found"},
		{fault.New(fault.MethodNotAllowed, "", "x"), 405, "not_found"},
		{fault.New(fault.TooLarge, fault.ReasonBodyTooLarge, "x"), 413, "too_large"},
		{fault.New(fault.Unsupported, fault.ReasonEncoding, "x"), 415, "unsupported"},
		{fault.New(fault.Unavailable, "x", "x"), 503, "unavailable"},
		{fault.New(fault.Internal, "x", "x"), 500, "error"},
		{fault.New("a kind of its own", "x", "x"), 500, "error"},
		{errors.New("x"), 500, "error"},
		{&http.MaxBytesError{Limit: 1}, 413, "too_large"},
		{echo.NewHTTPError(404), 404, "not_found"},
		{echo.NewHTTPError(405), 405, "not_found"},
		{echo.NewHTTPError(400), 500, "error"},
		{echo.NewHTTPError(302), 500, "error"},
	}
	for _, tt := range tests {
		e := newEdge(t)
		e.provider.Receive = delivers(deletion.Delivery{}, tt.err)
		got := post(t, e.serve(t))
		require.Equal(t, tt.status, got.status, "%v", tt.err)
		require.Equal(t, refusal(tt.code), got.body)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		if tt.status == 503 {
			require.Equal(t, "5", got.header.Get("Retry-After"))
		} else {
			require.Empty(t, got.header.Get("Retry-After"))
		}
		require.Equal(t, tt.code, e.line(t)["outcome"])
		if tt.code != "not_found" {
			require.Equal(t, 1, e.counted(t)["webhooks_total{"+tt.code+",clerk}"])
		}
	}
}

// Own trouble is never the sender's fault: several never repeat a 4xx.
func TestAcceptorErrorsAreNever4xx(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
	}{
		{errors.New("disk"), 500},
		{fault.New(fault.Malformed, "x", "x"), 500},
		{fault.New(fault.Unauthenticated, "x", "x"), 500},
		{fault.New(fault.NotFound, "x", "x"), 500},
		{fault.New(fault.MethodNotAllowed, "x", "x"), 500},
		{fault.New(fault.TooLarge, "x", "x"), 500},
		{fault.New(fault.Unsupported, "x", "x"), 500},
		{fault.New(fault.Internal, "x", "x"), 500},
		{echo.NewHTTPError(404), 500},
		{&http.MaxBytesError{Limit: 1}, 500},
		{fault.New(fault.Unavailable, fault.ReasonDatabase, "x"), 503},
		{fault.New(fault.Malformed, "x", "%w", context.DeadlineExceeded), 503},
		{context.Canceled, 503},
	}
	for _, tt := range tests {
		e := newEdge(t)
		batch := one()
		batch.Ignored, batch.IgnoreReason = 1, deletion.IgnoreOtherType
		e.provider.Receive = delivers(batch, nil)
		e.options.Acceptor = answers(deletion.Receipt{Accepted: 1}, tt.err)
		got := post(t, e.serve(t))
		require.Equal(t, tt.status, got.status, "%v", tt.err)
		code := map[int]string{500: "error", 503: "unavailable"}[tt.status]
		require.Equal(t, refusal(code), got.body)
		require.Equal(t, map[string]int{
			"webhooks_total{" + code + ",clerk}": 1, "webhook_duration_seconds{clerk}": 1,
		}, e.counted(t), "what was not stored is not counted")
	}
}
