package handlers

import (
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// recordKey is where Echo's context keeps the record.
const recordKey = "record"

// record is what is known about one request, for its log line and metrics.
type record struct {
	skip       bool // a probe: neither logged nor counted
	provider   string
	outcome    string
	reason     string
	headers    []string // names of those that it was refused for
	delivery   deletion.Delivery
	receipt    deletion.Receipt
	hasReceipt bool
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
	r.reason, r.headers = string(fault.ReasonOf(err)), fault.HeadersOf(err)
}

// wrongInstance says that another instance's events arrive here, which is a
// mistake in a configuration.
func (r *record) wrongInstance() bool {
	return r.delivery.Ignored > 0 && r.delivery.IgnoreReason == deletion.IgnoreOtherInstance
}

// ignoredAs is what ignored events are counted as.
func (r *record) ignoredAs() string {
	if r.wrongInstance() {
		return metrics.EventOtherInstance
	}
	return metrics.EventIgnored
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

// unobserved keeps probes out of the log and the metrics.
func unobserved(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		recordOf(c).skip = true
		return next(c)
	}
}
