package deletion

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/polar"
)

// lookup is the result of looking a customer up. The zero value is: nobody
// looked, or nobody can.
type lookup struct {
	saw      Saw
	customer Customer // who was seen
}

// lookup finds out who would be deleted. A decision ends the attempt: what
// concerns all calls is judged as an answer to the deletion. That there is
// nobody does not end it: Polar's lookups come from a replica, its deletions do
// not.
func (d *Deleter) lookup(ctx context.Context, a *Attempt, seen *Observed) (lookup, Decision) {
	if a.approvedCustomer() != "" {
		return d.lookupFound(ctx, a, seen)
	}
	if !d.options.LookBeforeDelete {
		return lookup{}, nil
	}
	looking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, answer, err := d.find(looking, a.ExternalID)
	seen.see(answer)
	switch {
	case found.saw == SawCustomer && d.options.Owns != nil && !d.options.Owns(found.customer.OrganizationID):
		return found, Wait{Reason: WaitOtherOrganization, For: operatorPause, Err: errOtherOrganization}
	case found.saw != SawNothing:
		seen.Customer = found.customer
		return found, nil
	case impossible(answer):
		seen.GuardsBlind = len(d.needLookup()) > 0
		// It is held, if that is wanted, unless an operator lets it pass all guards
		// that would have looked.
		for _, guard := range d.needLookup() {
			if d.options.HoldBlind && !a.Approves(guard, "") {
				return found, Hold{Reason: HoldUnexpected, Err: fmt.Errorf("the customer cannot be looked up: %w", refusal(answer))}
			}
		}
		return found, nil
	}
	d.options.Metrics.Attempt(a.CountedAs(), answer.Result)
	switch answer.Result {
	case polar.ResultRejected:
		return found, Hold{Reason: HoldRejected, Err: refusal(answer)}
	case polar.ResultForbidden, polar.ResultUnexpected:
		return found, d.probeOdd(ctx, answer)
	case polar.ResultServerError, polar.ResultNetworkError:
		return found, d.lookupFailed(ctx, *a, seen, retryOrPause(ctx, answer, err))
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultDeleted, polar.ResultNotFound, polar.ResultFound:
	}
	return found, retryOrPause(ctx, answer, err)
}

// lookupFailed decides on a lookup that got no answer, which failed is. When that
// goes on, a probe tells a Polar that is down from one that cannot look this
// customer up: with the latter no other deletion has to wait, and an operator may
// let this one go on all the same.
func (d *Deleter) lookupFailed(ctx context.Context, a Attempt, seen *Observed, failed Decision) Decision {
	retry, fails := failed.(Retry)
	switch {
	case !fails: // the program is stopping
		return failed
	case a.Approves(HoldExhausted, ""):
		seen.GuardsBlind = len(d.needLookup()) > 0
		return nil
	case a.Failures < failuresBeforeProbe:
		return failed
	}
	if decision := d.probe(ctx); decision != nil {
		return decision
	}
	seen.answered = true
	return Retry{Reason: RetryLookup, Err: retry.Err}
}

var errOtherOrganization = errors.New("the customer belongs to another Polar organization than the database")

// find looks the customer up once, and says when lookups have become impossible
// or possible.
func (d *Deleter) find(ctx context.Context, externalID string) (lookup, polar.Answer, error) {
	customer, answer, err := d.options.Polar.GetCustomer(ctx, externalID)
	switch {
	case answer.Result == polar.ResultFound:
		d.setBlind(false, answer)
		return lookup{SawCustomer, customer}, answer, err
	case answer.Result == polar.ResultNotFound:
		d.setBlind(false, answer)
		return lookup{saw: SawNobody}, answer, err
	case impossible(answer):
		d.setBlind(true, answer)
	}
	return lookup{}, answer, err
}

// setBlind says, once, that lookups have become impossible, or possible again.
func (d *Deleter) setBlind(blind bool, answer polar.Answer) {
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
	guards := d.needLookup()
	d.options.Metrics.SetGuardsBlind(guards)
	message := "customers cannot be looked up: deletions go on without the guards that need it, and all of them count for mass_deletion"
	if d.options.HoldBlind && len(guards) > 0 {
		message = "customers cannot be looked up: deletions are held"
	}
	d.options.Logger.Error(message, zap.Any("guards", guards), zap.Int("polar_status", answer.StatusCode))
}

// needLookup lists the guards that are on and see nothing without a lookup.
func (d *Deleter) needLookup() []HoldReason {
	var guards []HoldReason
	if !d.options.LookBeforeDelete {
		return nil
	}
	if d.options.HoldTeam {
		guards = append(guards, HoldTeam)
	}
	if d.options.HoldRecreated {
		guards = append(guards, HoldRecreated)
	}
	return guards
}

// impossible reports whether Polar has no such lookup, or has it no more. An
// answer of 200 that is not the customer is odd, but no sign of that.
func impossible(answer polar.Answer) bool {
	status := answer.StatusCode
	redirected, otherSuccess := status >= 300 && status <= 399, status > http.StatusOK && status <= 299
	return answer.Result == polar.ResultUnexpected &&
		(status == http.StatusNotFound || status == http.StatusMethodNotAllowed || redirected || otherSuccess)
}
