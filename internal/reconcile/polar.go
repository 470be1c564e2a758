package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/polar"
)

// How often a failing request is tried, and how long the first wait is; it
// doubles.
const (
	maxTries  = 6
	firstWait = time.Second
)

// operatorPause is how long all calls pause when only an operator can put right
// what is wrong, as for deletions.
const operatorPause = time.Minute

// activeSubscriptions returns what a deletion would end, nil when Polar cannot
// say.
func (s *Sweeper) activeSubscriptions(ctx context.Context, externalID string) (*int, error) {
	state, answer, err := fromPolar(ctx, s, func(ctx context.Context) (polar.State, polar.Answer, error) {
		return s.options.Polar.GetState(ctx, externalID)
	})
	switch {
	case errors.Is(err, polar.ErrUnaddressable), err == nil && answer.Result != polar.ResultFound:
		return nil, nil //nolint:nilnil // nothing is known, and that is no error
	case err != nil:
		return nil, err
	}
	return &state.ActiveSubscriptions, nil
}

// list reads a page of customers. A page that is not right is tried again, like
// a server error: it may come from a replica that is behind.
func (s *Sweeper) list(ctx context.Context, page, limit int) (polar.Page, error) {
	found, _, err := fromPolar(ctx, s, func(ctx context.Context) (polar.Page, polar.Answer, error) {
		found, answer, err := s.options.Polar.ListCustomers(ctx, page, limit)
		if err == nil && answer.Result != polar.ResultFound {
			err = &againError{err: fmt.Errorf("polar answered %d without a complete page of customers", answer.StatusCode)}
		}
		return found, answer, err
	})
	return found, err
}

// fromPolar sends one request to Polar, with a permit of its own for each try.
func fromPolar[T any](ctx context.Context, s *Sweeper, request func(context.Context) (T, polar.Answer, error)) (T, polar.Answer, error) {
	var answer polar.Answer
	found, err := retry(ctx, s, func(ctx context.Context) (T, error) {
		var found T
		permit, decision := s.options.Limiter.Acquire(ctx, 1)
		if decision != nil {
			return found, noPermit(decision)
		}
		var err error
		found, answer, err = request(ctx)
		decision, err = decide(answer, err)
		if ctx.Err() == nil { // what was cancelled here says nothing about Polar
			err = errors.Join(err, permit.Report(ctx, decision))
		}
		return found, err
	})
	return found, answer, err
}

// noPermit is the error of a request that got no permit.
func noPermit(decision deletion.Decision) error {
	switch decision := decision.(type) {
	case deletion.Wait:
		return &againError{decision.For, decision.Err}
	case deletion.Retry:
		return &againError{err: decision.Err}
	}
	return errors.New("no permit")
}

// decide says what an answer means for everybody's next request, and for this
// one.
func decide(answer polar.Answer, err error) (deletion.Decision, error) {
	switch answer.Result {
	case polar.ResultRateLimited:
		return deletion.Wait{Reason: deletion.WaitRateLimited, For: answer.RetryAfter, Everybody: true},
			&againError{answer.RetryAfter, errors.New("polar asks to wait")}
	case polar.ResultUnauthorized:
		return deletion.Wait{Reason: deletion.WaitUnauthorized, For: operatorPause, Everybody: true}, errors.New("polar refuses the token: run polar-bridge doctor")
	case polar.ResultServerError, polar.ResultNetworkError:
		if err == nil {
			err = fmt.Errorf("polar answered %d", answer.StatusCode)
		}
		return deletion.Retry{Reason: deletion.RetryReason(answer.Result), Outage: true}, &againError{err: err}
	case polar.ResultFound, polar.ResultNotFound, polar.ResultDeleted, polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected:
	}
	return nil, err // concerns this request alone, if anything is wrong
}

// againError is an error of Polar's that may be gone after a while.
type againError struct {
	after time.Duration // as somebody asks; 0 when nobody does
	err   error
}

func (e *againError) Error() string { return e.err.Error() }
func (e *againError) Unwrap() error { return e.err }

// tryAgain says whether it is worth another try, and after how long if somebody asks
// for that.
func tryAgain(err error) (after time.Duration, again bool) {
	if polar, ok := errors.AsType[*againError](err); ok {
		return polar.after, true
	}
	provider, ok := errors.AsType[*directory.Error](err)
	if !ok || provider.Reason == deletion.RetryDirectoryUnauthorized || provider.Reason == deletion.RetryDirectoryOtherInstance {
		return 0, false
	}
	return provider.RetryAfter, true
}

// retry tries until it works. A wait that somebody asks for costs no try; what
// only an operator can put right is not tried again.
func retry[T any](ctx context.Context, s *Sweeper, try func(context.Context) (T, error)) (T, error) {
	delay := firstWait
	for tries := 0; ; {
		result, err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return result, errors.Join(err, context.Cause(ctx))
		}
		pause, again := tryAgain(err)
		switch {
		case !again:
			return result, err
		case pause == 0:
			if tries++; tries >= maxTries {
				return result, err
			}
			pause, delay = delay, delay*2
		}
		if err := s.options.Wait(ctx, pause); err != nil {
			return result, err
		}
	}
}
