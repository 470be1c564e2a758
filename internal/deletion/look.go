package deletion

import (
	"context"
	"fmt"
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
	switch {
	case seen.known:
		result.Customer = seen.customer
		return seen, verdict{}
	case impossible(answer):
		result.GuardsBlind = len(d.looking()) > 0
		return seen, verdict{err: d.unseen(a, answer)}
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

// sight makes one look, and says when looking has become impossible or possible.
func (d *Deleter) sight(ctx context.Context, externalID string) (sighting, polar.Answer, error) {
	customer, answer, err := d.options.Polar.GetCustomer(ctx, externalID)
	switch {
	case answer.Result == polar.ResultFound:
		d.looked(false, answer)
		return sighting{known: true, customer: event.Customer(customer)}, answer, err
	case answer.Result == polar.ResultNotFound:
		d.looked(false, answer)
		return sighting{known: true}, answer, err
	case impossible(answer):
		d.looked(true, answer)
	}
	return sighting{}, answer, err
}

// looked says, once, that looking has become impossible, or possible again.
func (d *Deleter) looked(blind bool, answer polar.Answer) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if blind == d.blind {
		return
	}
	d.blind = blind
	if !blind {
		d.options.Metrics.SetGuardsBlind(nil)
		d.options.Logger.Info("customers can be looked up again")
		return
	}
	var guards []string
	for _, guard := range d.looking() {
		guards = append(guards, string(guard))
	}
	d.options.Metrics.SetGuardsBlind(guards)
	message := "customers cannot be looked up: deletions go on without the guards that need it, and all of them count for mass_deletion"
	if d.options.HoldBlind && len(guards) > 0 {
		message = "customers cannot be looked up: deletions are held"
	}
	d.options.Logger.Error(message, zap.Strings("guards", guards), zap.Int("polar_status", answer.StatusCode))
}

// looking lists the guards that are on and see nothing without a look.
func (d *Deleter) looking() []event.HoldReason {
	var guards []event.HoldReason
	if !d.options.LookBeforeDelete {
		return nil
	}
	if d.options.HoldTeam {
		guards = append(guards, event.HoldTeam)
	}
	if d.options.HoldRecreated {
		guards = append(guards, event.HoldRecreated)
	}
	return guards
}

// unseen holds, if that is wanted, a deletion that nobody can look at, unless an
// operator lets it pass all guards that would have looked.
func (d *Deleter) unseen(a event.Attempt, answer polar.Answer) error {
	for _, guard := range d.looking() {
		if d.options.HoldBlind && !a.Approves(guard) {
			return held(event.HoldUnexpected, fmt.Errorf("the customer cannot be looked up: %w", refusal(answer)))
		}
	}
	return nil
}

// impossible reports whether Polar has no such look, or has it no more. An
// answer of 200 that is not the customer is odd, but no sign of that.
func impossible(answer polar.Answer) bool {
	status := answer.StatusCode
	redirected, otherSuccess := status >= 300 && status <= 399, status > http.StatusOK && status <= 299
	return answer.Result == polar.ResultUnexpected &&
		(status == http.StatusNotFound || status == http.StatusMethodNotAllowed || redirected || otherSuccess)
}
