package deletion

import (
	"context"

	"github.com/polar-bridge/polar-bridge/polar"
)

// assess takes the deletion's place in a dry run: it finds out what would have
// been lost. When Polar does not tell, the dry run ends without.
func (d *Deleter) assess(ctx context.Context, a Attempt, found lookup, seen *Observed) Decision {
	if found.absent() {
		return Done{Outcome: OutcomeDryRun, Loss: &Loss{}}
	}
	state, answer, err := d.options.Polar.GetState(ctx, a.ExternalID)
	seen.see(answer)
	switch answer.Result {
	case polar.ResultFound:
		loss := Loss(state)
		return Done{Outcome: OutcomeDryRun, Loss: &loss}
	case polar.ResultNotFound:
		return Done{Outcome: OutcomeDryRun, Loss: &Loss{}}
	case polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected, polar.ResultDeleted:
		return Done{Outcome: OutcomeDryRun}
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
	}
	return retryOrPause(ctx, answer, err)
}
