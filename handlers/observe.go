package handlers

import (
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/metrics"
)

// Strangers may send as much as they like: of their lines the log keeps the
// first ones of a second and then every so many.
const (
	sampleFirst = 10
	sampleEvery = 100
)

// observer counts and logs finished requests.
type observer struct {
	metrics *metrics.Metrics
	log     *zap.Logger
	now     func() time.Time
	// samplers has one for each outcome, so that one kind of noise does not
	// hide another.
	samplers map[string]*sampler
}

func newObserver(o Options) *observer {
	samplers := make(map[string]*sampler)
	for _, outcome := range metrics.WebhookOutcomes() {
		samplers[outcome] = &sampler{}
	}
	return &observer{metrics: o.Metrics, log: o.Logger, now: o.Now, samplers: samplers}
}

// observe makes every request one log line and one count, also those that no
// route matches.
func observe(o *observer) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := o.now()
			rec := &record{provider: metrics.ProviderNone}
			c.Set(recordKey, rec)
			// An error after the answer has begun is a lost connection.
			if err := next(c); err != nil && !c.Response().Committed {
				rec.refused(err)
				c.Error(err)
			}
			if !rec.silent {
				o.finish(c, rec, start)
			}
			return nil
		}
	}
}

func (o *observer) finish(c echo.Context, rec *record, start time.Time) {
	end := o.now()
	duration := end.Sub(start)
	o.metrics.WebhookReceived(rec.provider, rec.outcome, duration)
	if rec.kept {
		o.metrics.Events(rec.provider, metrics.EventAccepted, rec.receipt.Accepted-rec.receipt.Held)
		o.metrics.Events(rec.provider, metrics.EventHeld, rec.receipt.Held)
		o.metrics.Events(rec.provider, metrics.EventDuplicate, rec.receipt.Duplicates)
		o.metrics.Events(rec.provider, rec.ignoredAs(), rec.delivery.Ignored)
	}
	if o.sampledOut(rec, end) {
		return
	}
	status := c.Response().Status
	fields := []zap.Field{
		zap.String(keyProvider, rec.provider),
		zap.String(keyOutcome, rec.outcome),
		zap.Int(keyStatus, status),
		zap.Int(keyEvents, rec.events()),
		zap.Int64(keyDurationMS, duration.Milliseconds()),
		zap.String(keyRequestID, c.Response().Header().Get(echo.HeaderXRequestID)),
		zap.String(keyRemoteIP, c.RealIP()),
	}
	if rec.reason != "" {
		fields = append(fields, zap.String(keyReason, rec.reason))
	}
	if len(rec.headers) > 0 {
		fields = append(fields, zap.Strings(keyHeaders, rec.headers))
	}
	if rec.delivery.EventID != "" {
		fields = append(fields, zap.String(keyEventID, rec.delivery.EventID))
	}
	if rec.cause != nil {
		fields = append(fields, zap.NamedError(keyError, rec.cause))
	}
	o.log.Log(level(rec, status), "webhook received", fields...)
}

func level(rec *record, status int) zapcore.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return zapcore.ErrorLevel
	case rec.foreign():
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}

// sampledOut says that the log can do without this line.
func (o *observer) sampledOut(rec *record, now time.Time) bool {
	return rec.strange() && !o.samplers[rec.outcome].take(now)
}

// sampler takes the first lines of a second, then every so many.
type sampler struct {
	mu     sync.Mutex
	second int64
	n      int
}

func (s *sampler) take(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); second != s.second {
		s.second, s.n = second, 0
	}
	s.n++
	return s.n <= sampleFirst || (s.n-sampleFirst)%sampleEvery == 0
}
