package deletion

import (
	"context"
	"net/http"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/polar"
)

// sighting is what a look came to. The zero value is: nobody looked, or nobody
// can.
type sighting struct {
	// known says that Polar told who the customer is, or that there is none.
	known    bool
	customer event.Customer // the zero value when there is none
}

// found reports whether Polar showed a customer.
func (s sighting) found() bool { return s.known && s.customer.ID != "" }

// absent reports whether Polar said that there is none.
func (s sighting) absent() bool { return s.known && s.customer.ID == "" }

// look finds out who would be deleted. A verdict with an error ends the
// attempt: what concerns all calls is judged as an answer to the deletion. That
// there is nobody does not end it: Polar's looks come from a replica, its
// deletions do not.
func (d *Deleter) look(ctx context.Context, a event.Attempt, result *event.Result) (sighting, verdict) {
	if !d.options.LookBeforeDelete {
		return sighting{}, verdict{}
	}
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	seen, answer, err := d.sight(looking, a.ExternalID)
	result.PolarStatus = answer.StatusCode
	if seen.known || impossible(answer) {
		result.Customer = seen.customer
		return seen, verdict{}
	}
	d.options.Metrics.Attempt(a.Provider, string(answer.Result))
	switch answer.Result {
	case polar.ResultRejected:
		return seen, verdict{err: held(event.HoldRejected, refusal(answer))}
	case polar.ResultForbidden, polar.ResultUnexpected:
		return seen, d.probe(ctx, answer)
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError,
		polar.ResultDeleted, polar.ResultNotFound, polar.ResultFound:
	}
	return seen, notNow(answer, err)
}

// sight makes one look, and says when looking has become impossible, once.
func (d *Deleter) sight(ctx context.Context, externalID string) (sighting, polar.Answer, error) {
	customer, answer, err := d.options.Polar.GetCustomer(ctx, externalID)
	switch {
	case answer.Result == polar.ResultFound:
		d.blind.Store(false)
		return sighting{known: true, customer: event.Customer(customer)}, answer, err
	case answer.Result == polar.ResultNotFound:
		d.blind.Store(false)
		return sighting{known: true}, answer, err
	case impossible(answer) && !d.blind.Swap(true):
		d.options.Logger.Error("customers cannot be looked up: deletions go on without the guards team and recreated, and all of them count for mass_deletion",
			zap.Int("polar_status", answer.StatusCode))
	}
	return sighting{}, answer, err
}

// impossible reports whether Polar has no such look, or has it no more.
func impossible(answer polar.Answer) bool {
	return answer.Result == polar.ResultUnexpected &&
		(answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed)
}
