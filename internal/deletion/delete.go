package deletion

import (
	"context"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/polar"
)

// delete sends the request that cannot be undone. All guards have passed.
func (d *Deleter) delete(ctx context.Context, a event.Attempt, result *event.Result) verdict {
	answer, err := d.options.Polar.DeleteCustomer(ctx, a.ExternalID, d.options.Anonymize)
	d.options.Metrics.Attempt(a.Provider, string(answer.Result))
	result.PolarStatus, result.AnswerLost = answer.StatusCode, answer.AnswerLost
	result.Anonymized = d.options.Anonymize && (answer.AnswerLost || answer.Result == polar.ResultDeleted)
	return d.judge(ctx, a, answer, err)
}

func (d *Deleter) judge(ctx context.Context, a event.Attempt, answer polar.Answer, err error) verdict {
	switch answer.Result {
	case polar.ResultDeleted:
		return verdict{outcome: event.OutcomeDeleted, confirmedBy: event.ConfirmedByAnswer}
	case polar.ResultNotFound:
		if a.AnswerLost {
			return verdict{outcome: event.OutcomeDeleted, confirmedBy: event.ConfirmedByRetry}
		}
		return verdict{outcome: event.OutcomeNotFound, confirmedBy: event.ConfirmedByAnswer}
	case polar.ResultRejected:
		return verdict{err: held(event.HoldRejected, refusal(answer))}
	case polar.ResultForbidden, polar.ResultUnexpected:
		return d.probe(ctx, answer)
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
		return notNow(answer, err)
	case polar.ResultFound: // never said of a deletion
	}
	return verdict{err: held(event.HoldUnexpected, refusal(answer))}
}
