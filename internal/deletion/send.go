package deletion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/polar-bridge/polar-bridge/polar"
)

// delete sends the request that cannot be undone. All guards have passed. It is
// waited for, whatever becomes of ctx, but never begun after ctx' deadline: a
// process that stood still meanwhile must not delete whoever came since.
func (d *Deleter) delete(ctx context.Context, a Attempt, seen *Observed) Decision {
	sending := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		bounded, cancel := context.WithDeadline(sending, deadline)
		defer cancel()
		sending = bounded
	}
	if err := sending.Err(); err != nil {
		return Retry{Reason: RetryDatabase, Err: fmt.Errorf("it took too long to write down that a request is sent: %w", err)}
	}
	answer, err := d.deleteCustomer(sending, a)
	d.options.Metrics.Attempt(a.CountedAs(), answer.Result)
	seen.see(answer)
	seen.Sent = maybeDone(answer)
	switch answer.Result {
	case polar.ResultDeleted:
		return Done{Outcome: OutcomeDeleted, ConfirmedBy: ConfirmedByAnswer, Anonymized: d.options.Anonymize}
	case polar.ResultNotFound:
		return d.notFound(ctx, a, seen)
	case polar.ResultRejected:
		return Hold{Reason: HoldRejected, Err: refusal(answer)}
	case polar.ResultForbidden, polar.ResultUnexpected:
		return d.probeOdd(sending, answer)
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
		return retryOrPause(sending, answer, err)
	case polar.ResultFound: // never said of a deletion
	}
	return Hold{Reason: HoldUnexpected, Err: refusal(answer)}
}

// deleteCustomer deletes by the external id, or exactly the customer who was found by
// metadata and approved.
func (d *Deleter) deleteCustomer(ctx context.Context, a Attempt) (polar.Answer, error) {
	if id := a.approvedCustomer(); id != "" {
		return d.options.Polar.DeleteCustomerByID(ctx, id, d.options.Anonymize)
	}
	return d.options.Polar.DeleteCustomer(ctx, a.ExternalID, d.options.Anonymize)
}

// notFound is what it means that Polar has no such customer: after a request
// whose answer was lost, that this one has deleted them, unless the lookup before
// it had found nobody. Unless one was seen, they are searched by metadata.
func (d *Deleter) notFound(ctx context.Context, a Attempt, seen *Observed) Decision {
	confirmed := ConfirmedByRetry
	switch {
	case !a.AnswerLost, a.LostSaw == SawNobody:
		return d.search(ctx, a, seen, Done{Outcome: OutcomeNotFound, ConfirmedBy: ConfirmedByAnswer})
	case a.LostSaw == SawFound && a.approvedCustomer() == "": // that one named another customer
		return d.search(ctx, a, seen, Hold{Reason: HoldFoundByMetadata, Err: errors.New("nobody knows what became of a request to delete the customer who was found by metadata")})
	case a.LostSaw == SawNothing:
		confirmed = ConfirmedByRetryUnseen
	}
	seen.Customer = cmp.Or(seen.Customer, a.Seen)
	done := Done{Outcome: OutcomeDeleted, ConfirmedBy: confirmed, Anonymized: a.LostAnonymized}
	if confirmed == ConfirmedByRetryUnseen {
		return d.search(ctx, a, seen, done)
	}
	return done
}

// maybeDone reports whether the answer leaves it open that Polar has done what
// was asked. An odd success may come from anybody in between.
func maybeDone(answer polar.Answer) bool {
	switch answer.Result {
	case polar.ResultDeleted, polar.ResultServerError:
		return true
	case polar.ResultNetworkError:
		return answer.AnswerLost
	case polar.ResultUnexpected:
		return answer.StatusCode >= http.StatusOK && answer.StatusCode < http.StatusMultipleChoices
	case polar.ResultNotFound, polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultForbidden, polar.ResultRejected, polar.ResultFound:
	}
	return false
}

// recordLoss finds out what the deletion will end. When Polar does not tell in time,
// the deletion goes on, and nobody knows.
func (d *Deleter) recordLoss(ctx context.Context, a Attempt, found lookup, seen *Observed) {
	if !d.options.RecordLoss || found.saw != SawCustomer {
		return
	}
	asking, cancel := context.WithTimeout(ctx, lossTimeout)
	defer cancel()
	if state, answer, _ := d.getState(asking, a); answer.Result == polar.ResultFound {
		seen.Loss = &state
	}
}

// getState asks what whoever would be deleted has.
func (d *Deleter) getState(ctx context.Context, a Attempt) (Loss, polar.Answer, error) {
	if id := a.approvedCustomer(); id != "" {
		return d.options.Polar.GetStateByID(ctx, id)
	}
	return d.options.Polar.GetState(ctx, a.ExternalID)
}

// assess takes the deletion's place in a dry run: it finds out what would have
// been lost. When Polar does not tell, the dry run ends without.
func (d *Deleter) assess(ctx context.Context, a Attempt, found lookup, seen *Observed) Decision {
	if found.saw == SawNobody {
		seen.Loss = &Loss{}
		return d.search(ctx, a, seen, Done{Outcome: OutcomeDryRun})
	}
	if seen.Loss != nil {
		return Done{Outcome: OutcomeDryRun}
	}
	state, answer, err := d.getState(ctx, a)
	seen.see(answer)
	switch answer.Result {
	case polar.ResultFound:
		seen.Loss = &state
		return Done{Outcome: OutcomeDryRun}
	case polar.ResultNotFound:
		seen.Loss = &Loss{}
		return d.search(ctx, a, seen, Done{Outcome: OutcomeDryRun})
	case polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected, polar.ResultDeleted:
		return Done{Outcome: OutcomeDryRun}
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
	}
	return retryOrPause(ctx, answer, err)
}
