package tracing

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Transport makes each request that belongs to a span a span of its own, and sends its
// traceparent along. Of the address it tells the host and nothing else: paths have
// external ids in them, which OpenTelemetry's own instrumentation would send.
func Transport(base http.RoundTripper) http.RoundTripper { return transport{base} }

type transport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	parent := trace.SpanFromContext(r.Context())
	if !parent.SpanContext().IsValid() {
		return t.base.RoundTrip(r)
	}
	ctx, started := parent.TracerProvider().Tracer(name).Start(r.Context(), r.Method+" "+r.URL.Host, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname())))
	defer started.End()
	r = r.Clone(ctx) // a RoundTripper must not change what it was given
	r.Header.Set(header, (&Span{started}).Traceparent())
	response, err := t.base.RoundTrip(r)
	if err != nil {
		started.SetStatus(codes.Error, "no answer")
		return nil, err
	}
	started.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= http.StatusBadRequest && response.StatusCode != http.StatusNotFound { // that often is the good news
		started.SetStatus(codes.Error, "")
	}
	return response, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (t transport) CloseIdleConnections() {
	if closer, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
