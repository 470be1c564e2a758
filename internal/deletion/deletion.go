// Package deletion is the use case: what happens to one deletion, from its
// guards over a slot to Polar's answer and the verdict on it.
//
// It must not know how deletions are kept or retried (queue), how slots are
// shared (slots), nor where deletions are counted (window).
package deletion

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// callsTimeout bounds all calls to Polar of one attempt together.
	callsTimeout = 12 * time.Second
	// lookTimeout bounds the look, so that a slow Polar leaves the deletion
	// behind it as much time.
	lookTimeout = callsTimeout / 2
	// reportTimeout bounds what is written down after them.
	reportTimeout = 2 * time.Second
	// mendingPause is how long all calls rest when only an operator, or Polar,
	// can mend what is wrong.
	mendingPause = time.Minute
)

// Slots hands out the right to send requests to Polar.
type Slots interface {
	// Take waits for so many slots together. How Polar answered is told to
	// answered, once for all of them: pause is "" when it answered sensibly,
	// else why everybody must stop, for the time wait.
	Take(ctx context.Context, requests int) (answered func(ctx context.Context, pause string, wait time.Duration) error, err error)
	// Spend counts one more request under a slot already taken.
	Spend(ctx context.Context) error
}

// Options for New.
type Options struct {
	Polar   *polar.Client
	Slots   Slots
	Metrics *metrics.Metrics
	// Logger hears when guards are blind; nil is nobody.
	Logger *zap.Logger
	Now    func() time.Time
	// Anonymize asks Polar to erase name and e-mail too. Polar takes that with
	// the first call or never.
	Anonymize bool

	// GracePeriod is how long after its arrival a deletion is not tried.
	GracePeriod time.Duration
	// Confirmer asks the identity provider; nil asks nobody.
	Confirmer Confirmer
	// LookBeforeDelete looks the customer up first. Without it HoldTeam,
	// HoldRecreated and Window do nothing.
	LookBeforeDelete bool
	// HoldTeam holds deletions of teams.
	HoldTeam bool
	// HoldRecreated holds deletions of customers younger than the event.
	HoldRecreated bool
	// HoldBlind holds deletions while Polar does not let customers be looked up;
	// otherwise they go on without HoldTeam and HoldRecreated.
	HoldBlind bool
	// Window holds deletions beyond what is usual; nil holds none.
	Window Window
}

// Deleter carries out deletions.
type Deleter struct {
	options Options

	mutex sync.Mutex
	blind bool // the last look was impossible, and that was said
}

// New returns a Deleter.
func New(o Options) *Deleter {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Deleter{options: o}
}

// Apply makes one attempt: guards that need nobody, then slots, then the look
// and its guards, then the deletion. Errors: fault.Held when a human must look
// (the reason is an event.HoldReason), fault.Paused when it must wait and
// nothing was tried, fault.Unavailable when another attempt may succeed, and an
// error that wraps context.Canceled when ctx was cancelled.
func (d *Deleter) Apply(ctx context.Context, a event.Attempt) (event.Result, error) {
	result, err := d.apply(ctx, a)
	if err != nil {
		err = fmt.Errorf("delete customer: %w", err)
	}
	return result, err
}

func (d *Deleter) apply(ctx context.Context, a event.Attempt) (event.Result, error) {
	if err := polar.CheckExternalID(a.ExternalID); err != nil {
		return event.Result{}, held(event.HoldUnaddressable, err)
	}
	if err := d.grace(a); err != nil {
		return event.Result{}, err
	}
	if err := d.confirm(ctx, a); err != nil {
		return event.Result{}, err
	}
	requests := 1
	if d.options.LookBeforeDelete {
		requests = 2
	}
	result := event.Result{}
	err := d.withSlots(ctx, requests, func(calls context.Context) verdict {
		v := d.ask(calls, a, &result)
		if v.err == nil {
			result.Outcome, result.ConfirmedBy = v.outcome, v.confirmedBy
		}
		return v
	})
	if result.ConfirmedBy == event.ConfirmedByRetry {
		result.Anonymized = a.LostAnonymized
		if result.Customer == (event.Customer{}) {
			result.Customer = a.Seen
		}
	}
	return result, err
}

// ask makes the calls to Polar, each guard in its place before the deletion.
func (d *Deleter) ask(ctx context.Context, a event.Attempt, result *event.Result) verdict {
	seen, v := d.look(ctx, a, result)
	if v.err != nil {
		return v
	}
	for _, guard := range []func(context.Context, event.Attempt, sighting) error{d.team, d.recreated, d.mass} {
		if err := guard(ctx, a, seen); err != nil {
			return verdict{err: err}
		}
	}
	if a.DryRun {
		return d.assess(ctx, a, seen, result)
	}
	return d.delete(ctx, a, result)
}

// withSlots takes slots for so many requests, makes them, and tells everybody
// what their verdict means for all calls.
func (d *Deleter) withSlots(ctx context.Context, requests int, ask func(context.Context) verdict) error {
	asked := d.options.Now()
	answered, err := d.options.Slots.Take(ctx, requests)
	d.options.Metrics.SlotWait(d.options.Now().Sub(asked))
	if err != nil {
		return err
	}
	calls, cancel := context.WithTimeout(ctx, callsTimeout)
	defer cancel()
	v := ask(calls)
	if v.unanswered && ctx.Err() != nil {
		// We broke it off ourselves: that says nothing about Polar.
		return v.err
	}
	report, done := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer done()
	reported := answered(report, v.pause, v.wait)
	if v.err != nil {
		return errors.Join(v.err, reported)
	}
	// What was not written down here the next caller finds out by itself.
	return nil
}

// verdict is what the answers of Polar mean: for this deletion and for all.
type verdict struct {
	outcome     event.Outcome
	confirmedBy event.Confirmation
	err         error
	// unanswered says that the last request got no answer, or did not go out.
	unanswered bool
	// pause is why all calls must stop, for the time wait; "" to go on.
	pause string
	wait  time.Duration
}

// notNow is the verdict on an answer that concerns all deletions alike.
func notNow(answer polar.Answer, err error) verdict {
	switch answer.Result {
	case polar.ResultRateLimited:
		return paused(fault.PauseRateLimited, answer.RetryAfter, answer)
	case polar.ResultUnauthorized:
		return paused(fault.PauseUnauthorized, mendingPause, answer)
	case polar.ResultServerError, polar.ResultNetworkError:
		unanswered := err != nil
		if err == nil {
			err = refusal(answer)
		}
		return verdict{
			err:        fault.New(fault.Unavailable, string(answer.Result), "%w", err),
			unanswered: unanswered, pause: fault.PauseOutage,
		}
	case polar.ResultDeleted, polar.ResultNotFound, polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected, polar.ResultFound:
	}
	return paused(fault.PauseUnexpected, mendingPause, answer)
}

// probe asks Polar to delete a customer that cannot exist. If the answer is
// the one that a working set-up gives, only this deletion is odd; if not,
// everything is, and all calls pause.
func (d *Deleter) probe(ctx context.Context, odd polar.Answer) verdict {
	if err := d.options.Slots.Spend(ctx); err != nil {
		return verdict{err: err, unanswered: true, pause: fault.PauseUnexpected, wait: mendingPause}
	}
	answer, err := d.options.Polar.Probe(ctx)
	if answer.Result == polar.ResultNotFound {
		return verdict{err: alone(odd)}
	}
	return notNow(answer, err)
}

// alone is what an answer means that only this deletion gets. What is forbidden
// may be allowed later, by Polar or by a proxy in front of it.
func alone(odd polar.Answer) error {
	if odd.Result == polar.ResultForbidden {
		return fault.New(fault.Unavailable, string(event.HoldForbidden), "%w", refusal(odd))
	}
	return held(event.HoldUnexpected, refusal(odd))
}

func paused(reason string, wait time.Duration, answer polar.Answer) verdict {
	return verdict{
		err:   fault.New(fault.Paused, reason, "%w", refusal(answer)).After(wait),
		pause: reason, wait: wait,
	}
}

func held(reason event.HoldReason, err error) error {
	return fault.New(fault.Held, string(reason), "%w", err)
}
