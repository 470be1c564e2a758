package deletion

import (
	"context"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/polar"
)

// assess takes the deletion's place in a dry run: it finds out what would have
// been lost. When Polar does not tell, the dry run ends without.
func (d *Deleter) assess(ctx context.Context, a event.Attempt, seen sighting, result *event.Result) verdict {
	done := verdict{outcome: event.OutcomeDryRun}
	if seen.absent() {
		result.Loss = &event.Loss{}
		return done
	}
	state, answer, err := d.options.Polar.GetState(ctx, a.ExternalID)
	result.PolarStatus = answer.StatusCode
	switch answer.Result {
	case polar.ResultFound:
		loss := event.Loss(state)
		result.Loss = &loss
		return done
	case polar.ResultNotFound:
		result.Loss = &event.Loss{}
		return done
	case polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected, polar.ResultDeleted:
		return done
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
	}
	return notNow(answer, err)
}
