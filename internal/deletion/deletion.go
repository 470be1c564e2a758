// Package deletion is the use case: what happens to one deletion, from its
// guards over a slot to Polar's answer and the verdict on it.
//
// It must not know how deletions are kept or retried (queue), nor how slots
// are shared (slots).
package deletion

import (
	"context"
	"errors"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// callsTimeout bounds all calls to Polar of one attempt together.
	callsTimeout = 12 * time.Second
	// reportTimeout bounds what is written down after them.
	reportTimeout = 2 * time.Second
	// mendingPause is how long all calls rest when only an operator, or Polar,
	// can mend what is wrong.
	mendingPause = time.Minute
)

// Slots hands out the right to send one request to Polar.
type Slots interface {
	// Take waits for a slot. The answer to the request is told to answered:
	// pause is "" when Polar answered sensibly, else why everybody must stop,
	// for the time wait.
	Take(ctx context.Context) (answered func(ctx context.Context, pause string, wait time.Duration) error, err error)
	// Spend counts one more request under a slot already taken.
	Spend(ctx context.Context) error
}

// Options for New.
type Options struct {
	Polar   *polar.Client
	Slots   Slots
	Metrics *metrics.Metrics
	Now     func() time.Time
	// Anonymize asks Polar to erase name and e-mail too. Polar takes that with
	// the first call or never.
	Anonymize bool
}

// Deleter carries out deletions.
type Deleter struct{ options Options }

// New returns a Deleter.
func New(o Options) *Deleter { return &Deleter{options: o} }

// Apply makes one attempt. Errors: fault.Held when a human must look (the
// reason is an event.HoldReason), fault.Paused when it must wait and nothing
// was tried, fault.Unavailable when another attempt may succeed, and an error
// that wraps context.Canceled when ctx was cancelled.
func (d *Deleter) Apply(ctx context.Context, a event.Attempt) (event.Result, error) {
	if err := polar.CheckExternalID(a.ExternalID); err != nil {
		return event.Result{}, held(event.HoldUnaddressable, err)
	}
	if a.DryRun {
		return event.Result{Outcome: event.OutcomeDryRun}, nil
	}
	asked := d.options.Now()
	answered, err := d.options.Slots.Take(ctx)
	d.options.Metrics.SlotWait(d.options.Now().Sub(asked))
	if err != nil {
		return event.Result{}, err
	}
	calls, cancel := context.WithTimeout(ctx, callsTimeout)
	defer cancel()
	answer, err := d.options.Polar.DeleteCustomer(calls, a.ExternalID, d.options.Anonymize)
	d.options.Metrics.Attempt(a.Provider, string(answer.Result))

	result := event.Result{PolarStatus: answer.StatusCode, AnswerLost: answer.AnswerLost}
	result.Anonymized = d.options.Anonymize && (answer.AnswerLost || answer.Result == polar.ResultDeleted)
	if err != nil && ctx.Err() != nil {
		// We broke it off ourselves: that says nothing about Polar.
		return result, err
	}
	v := d.judge(calls, a, answer, err)
	if v.err != nil && errors.Is(ctx.Err(), context.Canceled) && errors.Is(v.err, context.Canceled) {
		return result, v.err // so was the probe
	}
	report, done := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer done()
	reported := answered(report, v.pause, v.wait)
	if v.err != nil {
		return result, errors.Join(v.err, reported)
	}
	// What was not written down here the next caller finds out by itself.
	result.Outcome, result.ConfirmedBy = v.outcome, v.confirmedBy
	if v.confirmedBy == event.ConfirmedByRetry {
		result.Anonymized = a.LostAnonymized
	}
	return result, nil
}

// verdict is what one answer of Polar means: for this deletion and for all.
type verdict struct {
	outcome     event.Outcome
	confirmedBy event.Confirmation
	err         error
	// pause is why all calls must stop, for the time wait; "" to go on.
	pause string
	wait  time.Duration
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
	case polar.ResultUnexpected:
		return d.probe(ctx, answer)
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
		return notNow(answer, err)
	}
	return verdict{err: held(event.HoldUnexpected, refusal(answer))}
}

// notNow is the verdict on an answer that concerns all deletions alike.
func notNow(answer polar.Answer, err error) verdict {
	switch answer.Result {
	case polar.ResultRateLimited:
		return paused(fault.PauseRateLimited, answer.RetryAfter, answer)
	case polar.ResultUnauthorized:
		return paused(fault.PauseUnauthorized, mendingPause, answer)
	case polar.ResultServerError, polar.ResultNetworkError:
		if err == nil {
			err = refusal(answer)
		}
		return verdict{
			err:   fault.New(fault.Unavailable, string(answer.Result), "delete customer: %w", err),
			pause: fault.PauseOutage,
		}
	case polar.ResultDeleted, polar.ResultNotFound, polar.ResultRejected, polar.ResultUnexpected:
	}
	return paused(fault.PauseUnexpected, mendingPause, answer)
}

// probe asks Polar to delete a customer that cannot exist. If the answer is
// the one that a working set-up gives, only this deletion is odd; if not,
// everything is, and all calls pause.
func (d *Deleter) probe(ctx context.Context, odd polar.Answer) verdict {
	if err := d.options.Slots.Spend(ctx); err != nil {
		return verdict{err: err, pause: fault.PauseUnexpected, wait: mendingPause}
	}
	answer, err := d.options.Polar.Probe(ctx)
	if answer.Result == polar.ResultNotFound {
		return verdict{err: held(event.HoldUnexpected, refusal(odd))}
	}
	return notNow(answer, err)
}

func paused(reason string, wait time.Duration, answer polar.Answer) verdict {
	return verdict{
		err:   fault.New(fault.Paused, reason, "delete customer: %w", refusal(answer)).After(wait),
		pause: reason, wait: wait,
	}
}

func held(reason event.HoldReason, err error) error {
	return fault.New(fault.Held, string(reason), "delete customer: %w", err)
}
