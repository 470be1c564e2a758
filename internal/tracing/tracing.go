// Package tracing sends OpenTelemetry spans to a collector, when the standard
// variables ask for it. Only here is OpenTelemetry's SDK.
//
// It must not know what the spans are about. Whoever sets an attribute answers for it
// that the log may show the same.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// closeTimeout bounds the sending of the last spans.
const closeTimeout = 2 * time.Second

// name is the scope of all spans, and the service's unless OTEL_SERVICE_NAME says another.
const name = "polar-bridge"

// header is the W3C Trace Context's.
const header = "Traceparent"

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Consumer = trace.SpanKindConsumer
)

// Tracer begins spans. A nil one begins none, and costs nothing.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New returns the Tracer that the environment asks for, nil when it does not: it asks by
// the address of a collector, unless OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER takes that
// back. The SDK reads all other variables itself, from the process' own environment, so
// these are read there too. What cannot be sent is logged.
//
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func New(ctx context.Context, version string, log *zap.Logger) (*Tracer, error) {
	getenv := os.Getenv //nolint:forbidigo // as the SDK does
	exporter := getenv("OTEL_TRACES_EXPORTER")
	switch {
	case getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "",
		getenv("OTEL_SDK_DISABLED") == "true", exporter == "none":
		return nil, nil //nolint:nilnil // nobody asks
	case exporter != "" && exporter != "otlp":
		return nil, errors.New("OTEL_TRACES_EXPORTER must be otlp or none")
	case getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" || getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") == "grpc":
		return nil, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json, and the endpoint the collector's for HTTP (usually port 4318)")
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", name), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare to send traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("send traces failed", zap.Error(err)) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
	return &Tracer{provider, provider.Tracer(name)}, nil
}

// Close sends the last spans, within two seconds.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Start begins a span at begin, or now when that is zero. It is part of traceparent, the
// text of such a header; of "", part of the context's span, or else a trace of its own.
func (t *Tracer) Start(ctx context.Context, kind trace.SpanKind, what, traceparent string, begin time.Time) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	if traceparent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(kind)}
	if !begin.IsZero() {
		options = append(options, trace.WithTimestamp(begin))
	}
	ctx, span := t.tracer.Start(ctx, what, options...)
	return ctx, &Span{span}
}

// Span is something that takes time. A nil one is nothing.
type Span struct{ span trace.Span }

// Set says something about it that the log may show too.
func (s *Span) Set(name, value string) {
	if s != nil {
		s.span.SetAttributes(attribute.String(name, value))
	}
}

// SetNumber is Set for a number.
func (s *Span) SetNumber(name string, value int64) {
	if s != nil {
		s.span.SetAttributes(attribute.Int64(name, value))
	}
}

// Fail says that it failed, and why in a word.
func (s *Span) Fail(reason string) {
	if s != nil {
		s.span.SetStatus(codes.Error, reason)
	}
}

// End ends it.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}

// Traceparent is the header of what is part of it, "" of none.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	of := s.span.SpanContext()
	return "00-" + of.TraceID().String() + "-" + of.SpanID().String() + "-" + of.TraceFlags().String()
}
