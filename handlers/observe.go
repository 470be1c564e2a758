package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// Of the lines of unauthenticated requests, whose number nothing bounds, the log
// has the first ones of a second and then every so many.
const (
	sampleFirst = 10
	sampleEvery = 100
)

// observer counts and logs finished requests.
type observer struct {
	metrics *metrics.Metrics
	now     func() time.Time
	log     zapcore.Core
	// sampled has one for each outcome, so that one kind of noise does not hide another.
	sampled map[string]zapcore.Core
}

func newObserver(o Options) *observer {
	sampled := make(map[string]zapcore.Core)
	for _, outcome := range metrics.WebhookOutcomes() {
		sampled[outcome] = zapcore.NewSamplerWithOptions(o.Logger.Core(), time.Second, sampleFirst, sampleEvery)
	}
	return &observer{metrics: o.Metrics, now: o.Now, log: o.Logger.Core(), sampled: sampled}
}

// observe makes every request one log line and one count, also those that no
// route matches.
func observe(o *observer) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			rec := &record{provider: metrics.ProviderNone, start: o.now()}
			rec.traceparent = deletion.ParseTraceparent(strings.Join(c.Request().Header["Traceparent"], ",")) // two are none
			c.Set(recordKey, rec)
			// An error after the answer has begun is a lost connection.
			if err := next(c); err != nil && !c.Response().Committed {
				rec.refused(err)
				c.Error(err)
			}
			if !rec.skip {
				end := o.now()
				o.count(rec, end.Sub(rec.start))
				o.logLine(c, rec, end)
			}
			return nil
		}
	}
}

func (o *observer) count(rec *record, duration time.Duration) {
	o.metrics.WebhookReceived(rec.provider, rec.outcome, duration)
	o.metrics.GatewaySignature(rec.delivery.Gateway)
	if rec.hasReceipt && !rec.selftest() {
		o.metrics.Events(rec.provider, metrics.EventAccepted, rec.receipt.Accepted-rec.receipt.Held)
		o.metrics.Events(rec.provider, metrics.EventHeld, rec.receipt.Held)
		o.metrics.Events(rec.provider, metrics.EventDuplicate, rec.receipt.Duplicates)
		ignored := metrics.EventIgnored
		if rec.wrongInstance() {
			ignored = metrics.EventOtherInstance
		}
		o.metrics.Events(rec.provider, ignored, rec.delivery.Ignored)
	}
}

func (o *observer) logLine(c echo.Context, rec *record, end time.Time) {
	line := o.check(rec, c.Response().Status, end)
	if line == nil {
		return
	}
	fields := []zap.Field{
		zap.String("provider", rec.provider),
		zap.String("outcome", rec.outcome),
		zap.Int("status", c.Response().Status),
		zap.Int("events", len(rec.delivery.Deletions)+rec.delivery.Ignored),
		zap.Int64("duration_ms", end.Sub(rec.start).Milliseconds()),
		zap.String(keyRequestID, c.Response().Header().Get(echo.HeaderXRequestID)),
		zap.String("remote_ip", c.RealIP()),
	}
	for _, known := range []zap.Field{
		zap.String("trace_id", rec.traceparent.TraceID()),
		zap.String("reason", rec.reason),
		zap.String("event_id", rec.delivery.EventID),
		zap.String("gateway", string(rec.delivery.Gateway)),
	} {
		if known.String != "" {
			fields = append(fields, known)
		}
	}
	if len(rec.headers) > 0 {
		fields = append(fields, zap.Strings("headers", rec.headers))
	}
	if rec.cause != nil {
		fields = append(fields, zap.NamedError("error", rec.cause))
	}
	line.Write(fields...)
}

// check returns nil for a line that is left out.
func (o *observer) check(rec *record, status int, end time.Time) *zapcore.CheckedEntry {
	entry := zapcore.Entry{Level: zapcore.InfoLevel, Time: end, Message: "webhook received"}
	switch {
	case status >= http.StatusInternalServerError:
		entry.Level = zapcore.ErrorLevel
	case rec.wrongInstance():
		entry.Level = zapcore.WarnLevel
	}
	if rec.unauthenticated() {
		return o.sampled[rec.outcome].Check(entry, nil)
	}
	return o.log.Check(entry, nil)
}

// recordKey is where Echo's context keeps the record.
const recordKey = "record"

// record is what is known about one request, for its log line and metrics.
type record struct {
	start    time.Time
	skip     bool // a probe: neither logged nor counted
	provider string
	outcome  string
	reason   string
	headers  []string // names of those that it was refused for
	delivery deletion.Delivery
	// traceparent is the trace that the sender says it is part of.
	traceparent deletion.Traceparent
	receipt     deletion.Receipt
	hasReceipt  bool
	// cause is the Acceptor's error. Others may quote what was sent, and are
	// not kept.
	cause error
	// said is the body of the answer to people, "" for the usual one.
	said string
}

// recordOf returns the request's record; a handler outside of observe gets one
// that nobody reads.
func recordOf(c echo.Context) *record {
	if rec, ok := c.Get(recordKey).(*record); ok {
		return rec
	}
	return &record{}
}

// stored notes what became of the delivery, which decides the answer.
func (r *record) stored(receipt deletion.Receipt) {
	r.receipt, r.hasReceipt = receipt, true
	switch {
	case receipt.Accepted > 0:
		r.outcome = metrics.WebhookAccepted
	case receipt.Duplicates > 0:
		r.outcome = metrics.WebhookDuplicate
	default:
		r.outcome = metrics.WebhookIgnored
	}
	if r.delivery.Ignored > 0 {
		r.reason = string(r.delivery.IgnoreReason)
	}
}

// refused notes an error, whatever was noted before.
func (r *record) refused(err error) {
	_, r.outcome = answer(kindOf(err))
	r.reason, r.headers = "", nil
	if e, ok := errors.AsType[*fault.Error](err); ok {
		r.reason, r.headers = string(e.Reason), e.Headers
	}
}

// selftest says that it is the delivery of polar-bridge selftest: one deletion.
func (r *record) selftest() bool {
	return len(r.delivery.Deletions) == 1 && r.delivery.Deletions[0].Source == deletion.SourceSelftest
}

// wrongInstance says that another instance's events arrive here, which is a
// mistake in a configuration.
func (r *record) wrongInstance() bool {
	return r.delivery.Ignored > 0 && r.delivery.IgnoreReason == deletion.IgnoreOtherInstance
}

// unauthenticated says that the request was refused before it could be
// authenticated: anybody may send such ones, as often as they like.
func (r *record) unauthenticated() bool {
	switch r.outcome {
	case metrics.WebhookUnauthenticated, metrics.WebhookNotFound, metrics.WebhookTooLarge, metrics.WebhookUnsupported:
		return true
	case metrics.WebhookMalformed:
		return fault.Reason(r.reason) == fault.ReasonBodyRead
	case metrics.WebhookUnavailable:
		return slices.Contains([]fault.Reason{fault.ReasonOverload, fault.ReasonBodyRead, fault.ReasonKeys}, fault.Reason(r.reason))
	default:
		return false
	}
}
