package deletion

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/polar-bridge/polar-bridge/polar"
)

var errStopping = errors.New("the program is stopping")

// Stopping is the decision on whatever the end of the program has interrupted.
func Stopping() Decision { return Wait{Reason: WaitStopping, Err: errStopping} }

// retryOrPause is the decision on an answer that concerns all deletions alike. A
// request that ended because ctx was cancelled says nothing about Polar.
func retryOrPause(ctx context.Context, answer polar.Answer, err error) Decision {
	if answer.Result == polar.ResultNetworkError && errors.Is(ctx.Err(), context.Canceled) {
		return Stopping()
	}
	err = cmp.Or(err, refusal(answer))
	switch answer.Result {
	case polar.ResultRateLimited:
		return Wait{Reason: WaitRateLimited, For: answer.RetryAfter, Everybody: true, Err: err}
	case polar.ResultUnauthorized:
		return Wait{Reason: WaitUnauthorized, For: operatorPause, Everybody: true, Err: err}
	case polar.ResultServerError:
		return Retry{Reason: RetryServerError, Outage: true, Err: err}
	case polar.ResultNetworkError:
		return Retry{Reason: RetryNetworkError, Outage: true, Err: err}
	case polar.ResultDeleted, polar.ResultNotFound, polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected, polar.ResultFound:
	}
	return Wait{Reason: WaitUnexpected, For: operatorPause, Everybody: true, Err: err}
}

// probeOdd decides on an odd answer: if Polar works otherwise, only this deletion
// is odd.
func (d *Deleter) probeOdd(ctx context.Context, odd polar.Answer) Decision {
	switch decision := d.probe(ctx); {
	case decision != nil:
		return decision
	case odd.Result == polar.ResultForbidden: // may be allowed later, by Polar or by a proxy in front of it
		return Retry{Reason: RetryForbidden, Err: refusal(odd)}
	}
	return Hold{Reason: HoldUnexpected, Err: refusal(odd)}
}

// probe asks Polar to delete a customer that cannot exist. It returns nil if the
// answer is the one that a working set-up gives; if not, the decision is about all
// calls.
func (d *Deleter) probe(ctx context.Context) Decision {
	if err := d.options.Limiter.Charge(ctx); err != nil {
		if ctx.Err() != nil {
			return d.notCharged(ctx, err)
		}
		return Wait{Reason: WaitUnexpected, For: operatorPause, Everybody: true, Err: err}
	}
	answer, err := d.options.Polar.Probe(ctx)
	switch {
	case answer.Result == polar.ResultNotFound:
		return nil
	case answer.Result == polar.ResultNetworkError && errors.Is(ctx.Err(), context.DeadlineExceeded): // what went before had left it no time
		return d.notCharged(ctx, err)
	}
	return retryOrPause(ctx, answer, err)
}

// notCharged decides on a request for which there was no time, or that could not be
// counted.
func (*Deleter) notCharged(ctx context.Context, err error) Decision {
	if errors.Is(ctx.Err(), context.Canceled) {
		return Stopping()
	}
	if ctx.Err() != nil { // Polar left no time for it
		return Retry{Reason: RetryLookup, Err: err}
	}
	return Retry{Reason: RetryDatabase, Err: err}
}

// refusal says how Polar answered, for the log.
func refusal(answer polar.Answer) error {
	text := fmt.Sprintf("polar answered %d", answer.StatusCode)
	if answer.ErrorCode != "" {
		text += " " + answer.ErrorCode
	}
	if answer.RequestID != "" {
		text += " (request " + answer.RequestID + ")"
	}
	return errors.New(text)
}
