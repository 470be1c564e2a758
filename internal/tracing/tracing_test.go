package tracing_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/tracing"
)

func TestWhoAsksForTraces(t *testing.T) {
	const address = "http://127.0.0.1:4318"
	for name, tt := range map[string]struct {
		environment map[string]string
		asks        bool
		refused     string
	}{
		"nobody":             {nil, false, ""},
		"an endpoint":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address}, true, ""},
		"one for traces":     {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address}, true, ""},
		"without an address": {map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, false, ""},
		"taken back":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no exporter":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"another exporter":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_TRACES_EXPORTER": "zipkin"}, false, "must be otlp or none"},
		"gRPC":               {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "must be http/protobuf or http/json"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			tracer, err := tracing.New(t.Context(), "v1", zap.NewNop())
			if tt.refused != "" {
				require.ErrorContains(t, err, tt.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.asks, tracer != nil)
			require.NoError(t, tracer.Close(t.Context()))
		})
	}
}

func TestATracerThatNobodyAsksForCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	var tracer *tracing.Tracer
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, span := tracer.Start(ctx, tracing.Server, "x", "", time.Time{})
		span.Set("name", "value")
		span.SetNumber("number", 1)
		span.Fail("reason")
		span.End()
		if span.Traceparent() != "" {
			t.Fail()
		}
	}))
	base := func(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/id", http.NoBody)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = tracing.Transport(roundTripper(base)).RoundTrip(request) //nolint:bodyclose // there is none
	}))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
