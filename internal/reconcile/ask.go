package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/polar"
)

// How often something is tried that does not work, and how long the first wait
// is; it doubles.
const (
	maxTries  = 6
	firstWait = time.Second
)

// mendingPause is how long all calls rest when only an operator can mend what
// is wrong, as for deletions.
const mendingPause = time.Minute

// ask asks about each suspect alone.
func (s *Sweeper) ask(ctx context.Context, current *sweep) error {
	done, err := s.store.count(ctx, verdictGone, verdictLiving)
	if err != nil {
		return err
	}
	for {
		suspects, err := s.store.unjudged(ctx)
		if err != nil || len(suspects) == 0 {
			return err
		}
		for _, suspect := range suspects {
			if err := s.judge(ctx, suspect); err != nil {
				return err
			}
			done++
			s.options.OnProgress(Progress{Asking: true, Done: done, Total: max(current.Counts.Suspects, done)})
		}
	}
}

func (s *Sweeper) judge(ctx context.Context, suspect Orphan) error {
	at := s.options.Now()
	answer, err := patiently(ctx, s, func(ctx context.Context) (directory.Answer, error) {
		return s.options.Source.IsDeleted(ctx, suspect.ExternalID)
	})
	if err != nil {
		return fmt.Errorf("ask whether a user is gone: %w", err)
	}
	if !answer.Deleted {
		return s.store.judge(ctx, suspect, verdictLiving, at)
	}
	subscriptions, err := s.subscriptions(ctx, suspect.ExternalID)
	if err != nil {
		return err
	}
	suspect.ActiveSubscriptions, suspect.Instance = subscriptions, answer.Instance
	return s.store.judge(ctx, suspect, verdictGone, at)
}

// subscriptions returns what a deletion would end, nil when Polar cannot say.
func (s *Sweeper) subscriptions(ctx context.Context, externalID string) (*int, error) {
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
			err = fault.New(fault.Unavailable, string(answer.Result), "polar answers %d with something else than a complete page", answer.StatusCode)
		}
		return found, answer, err
	})
	return found, err
}

// fromPolar sends one request to Polar in a slot of its own, as often as it
// takes.
func fromPolar[T any](ctx context.Context, s *Sweeper, request func(context.Context) (T, polar.Answer, error)) (T, polar.Answer, error) {
	var answer polar.Answer
	found, err := patiently(ctx, s, func(ctx context.Context) (T, error) {
		var found T
		answered, err := s.options.Slots.Take(ctx, 1)
		if err != nil {
			return found, err
		}
		found, answer, err = request(ctx)
		pause, wait, refused := judgePolar(answer, err)
		if ctx.Err() == nil { // what we broke off ourselves says nothing about Polar
			err = errors.Join(refused, answered(ctx, pause, wait))
		}
		return found, err
	})
	return found, answer, err
}

// judgePolar says what an answer means for everybody's next request, and for
// this one.
func judgePolar(answer polar.Answer, err error) (pause string, wait time.Duration, refused error) {
	switch answer.Result {
	case polar.ResultRateLimited:
		return fault.PauseRateLimited, answer.RetryAfter,
			fault.New(fault.Paused, fault.PauseRateLimited, "polar asks to wait").After(answer.RetryAfter)
	case polar.ResultUnauthorized:
		return fault.PauseUnauthorized, mendingPause, errors.New("polar refuses the token: run polar-bridge doctor")
	case polar.ResultServerError, polar.ResultNetworkError:
		if err == nil {
			err = fmt.Errorf("polar answers %d", answer.StatusCode)
		}
		return fault.PauseOutage, 0, fault.New(fault.Unavailable, string(answer.Result), "%w", err)
	case polar.ResultFound, polar.ResultNotFound, polar.ResultDeleted, polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected:
	}
	return "", 0, err // concerns this request alone, if anything is wrong
}

// patiently tries until it works. To wait because somebody asks for it costs no
// try; what only an operator can mend is not tried again.
func patiently[T any](ctx context.Context, s *Sweeper, try func(context.Context) (T, error)) (T, error) {
	delay := firstWait
	for tries := 0; ; {
		result, err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return result, errors.Join(err, context.Cause(ctx))
		}
		pause := delay
		switch {
		case fault.KindOf(err) == fault.Paused:
			pause = fault.RetryAfterOf(err)
		case fault.KindOf(err) != fault.Unavailable, fault.ReasonOf(err) == directory.ReasonUnauthorized, fault.ReasonOf(err) == directory.ReasonOtherInstance:
			return result, err
		default:
			if tries++; tries >= maxTries {
				return result, err
			}
			delay *= 2
		}
		if err := s.options.Wait(ctx, pause); err != nil {
			return result, err
		}
	}
}
