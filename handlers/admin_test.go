package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/metrics"
)

func adminOptions(ready error) handlers.AdminOptions {
	reg := prometheus.NewRegistry()
	metrics.New(reg, metrics.Options{Providers: []string{"clerk"}, Enabled: []string{"clerk"}})
	return handlers.AdminOptions{
		Gatherer: reg, Logger: zap.NewNop(),
		Ready: func(context.Context) error { return ready },
	}
}

func TestAdminEndpoints(t *testing.T) {
	t.Parallel()
	notReady := errors.Join(errors.New("database: locked"), errors.New("shutting down"))
	tests := []struct {
		path   string
		ready  error
		status int
		body   string
	}{
		{"/livez", notReady, 200, "ok"},
		{"/readyz", nil, 200, "ok"},
		{"/readyz?verbose", nil, 200, "ok"},
		{"/readyz", notReady, 503, "not ready"},
		{"/readyz?verbose", notReady, 503, "not ready: database: locked\nshutting down"},
		{"/healthz", nil, 200, "ok"},
		{"/healthz", notReady, 503, "not ready"},
		{"/", nil, 404, refusal("not_found")},
		{"/readyz/", nil, 404, refusal("not_found")},
		{"/webhooks/clerk", nil, 404, refusal("not_found")},
	}
	for _, tt := range tests {
		got := send(t, serve(t, handlers.NewAdmin(adminOptions(tt.ready))), http.MethodGet, tt.path, http.NoBody)
		require.Equal(t, tt.status, got.status, tt.path)
		require.Equal(t, tt.body, got.body, tt.path)
	}
}

func TestAdminRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	s := serve(t, handlers.NewAdmin(adminOptions(nil)))
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/healthz"} {
		got := send(t, s, http.MethodPost, path, http.NoBody)
		require.Equal(t, 405, got.status)
		require.Equal(t, "GET, HEAD", got.header.Get("Allow"))
		require.Equal(t, 200, send(t, s, http.MethodHead, path, http.NoBody).status)
	}
}

func TestMetricsExposition(t *testing.T) {
	t.Parallel()
	s := serve(t, handlers.NewAdmin(adminOptions(nil)))
	for _, accept := range []string{"", "application/openmetrics-text; version=1.0.0"} {
		got := send(t, s, http.MethodGet, "/metrics", http.NoBody, header("Accept", accept))
		require.Equal(t, 200, got.status)
		require.Contains(t, got.header.Get("Content-Type"), "text/plain")
		require.Contains(t, got.body, `polar_bridge_webhooks_total{outcome="accepted",provider="clerk"} 0`)
		require.Contains(t, got.body, "# TYPE polar_bridge_deletions_total counter")
		require.Contains(t, got.body, "# TYPE polar_bridge_deletions_pending gauge")
	}
}

// broken is a collector that fails.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}

func (broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("x", "X.", nil, nil), errors.New("broken collector"))
}

func TestMetricsThatCannotBeGathered(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	o := adminOptions(nil)
	o.Logger = zap.New(core)
	reg := prometheus.NewRegistry()
	reg.MustRegister(broken{})
	o.Gatherer = reg
	got := send(t, serve(t, handlers.NewAdmin(o)), http.MethodGet, "/metrics", http.NoBody)
	require.Equal(t, 500, got.status)
	require.Equal(t, 1, logs.FilterLevelExact(zap.ErrorLevel).Len())
}

func TestReadinessIsAskedForTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := adminOptions(nil)
		o.Ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		start := time.Now()
		w := serveOnce(handlers.NewAdmin(o), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		require.Equal(t, 503, w.Code)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestAdminRecoversPanics(t *testing.T) {
	t.Parallel()
	o := adminOptions(nil)
	o.Ready = func(context.Context) error { panic("x") } //nolint:forbidigo // A bug is what this is about.
	got := send(t, serve(t, handlers.NewAdmin(o)), http.MethodGet, "/readyz", http.NoBody)
	require.Equal(t, 500, got.status)
	require.Equal(t, refusal("error"), got.body)
}

func TestServerHasEveryLimit(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	s := handlers.NewServer(http.NotFoundHandler(), zap.New(core))
	require.Positive(t, s.ReadHeaderTimeout)
	require.Positive(t, s.ReadTimeout)
	require.Greater(t, s.WriteTimeout, s.ReadTimeout+2*time.Second, "a slow body must still get its answer")
	require.Greater(t, s.IdleTimeout, time.Minute)
	require.Equal(t, 16<<10, s.MaxHeaderBytes)
	require.True(t, s.DisableGeneralOptionsHandler)
	for range 500 {
		s.ErrorLog.Print("http: Accept error: too many open files")
	}
	require.Equal(t, 5, logs.FilterLevelExact(zap.WarnLevel).Len(), "no flood")
}
