package handlers

import (
	"github.com/labstack/echo/v4"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// recordKey is where Echo's context keeps the record.
const recordKey = "record"

// record is what is known about one request, for its log line and metrics.
type record struct {
	silent   bool // a probe: neither logged nor counted
	provider string
	outcome  string
	reason   string
	headers  []string // names of those that it was refused for
	delivery event.Delivery
	receipt  event.Receipt
	kept     bool // receipt is true
	// cause is the Acceptor's error. Others may quote what was sent, and are
	// not kept.
	cause error
}

// recordOf returns the request's record; a handler outside of observe gets one
// that nobody reads.
func recordOf(c echo.Context) *record {
	if rec, ok := c.Get(recordKey).(*record); ok {
		return rec
	}
	return &record{}
}

// received notes an authentic delivery.
func (r *record) received(d event.Delivery) { r.delivery = d }

// stored notes what became of the delivery, which decides the answer.
func (r *record) stored(receipt event.Receipt) {
	r.receipt, r.kept = receipt, true
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
	r.reason, r.headers = fault.ReasonOf(err), fault.HeadersOf(err)
}

// events is how many events an authentic delivery had.
func (r *record) events() int { return len(r.delivery.Deletions) + r.delivery.Ignored }

// foreign says that somebody else's events arrive here, which is a mistake in
// a configuration.
func (r *record) foreign() bool {
	return r.delivery.Ignored > 0 && r.delivery.IgnoreReason == event.IgnoreOtherInstance
}

// ignoredAs is what ignored events are counted as: somebody else's are news.
func (r *record) ignoredAs() string {
	if r.foreign() {
		return metrics.EventOtherInstance
	}
	return metrics.EventIgnored
}

// strange says that this may have come from anybody, as often as they like:
// it was refused before it could be authenticated.
func (r *record) strange() bool {
	switch r.outcome {
	case metrics.WebhookUnauthenticated, metrics.WebhookNotFound, metrics.WebhookTooLarge, metrics.WebhookUnsupported:
		return true
	case metrics.WebhookMalformed:
		return r.reason == fault.ReasonBodyRead
	case metrics.WebhookUnavailable:
		return r.reason == fault.ReasonOverload || r.reason == fault.ReasonBodyRead || r.reason == fault.ReasonKeys
	default:
		return false
	}
}

// unobserved keeps probes out of the log and the metrics.
func unobserved(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		recordOf(c).silent = true
		return next(c)
	}
}
