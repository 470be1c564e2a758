// Package deletion is the domain: what a deletion is, and what happens to one,
// from its guards over a permit to Polar's answer and the decision on it.
//
// It must not know where deletions come from (provider), how they are kept or
// retried (queue), nor how permits are shared (ratelimit).
package deletion

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// CallsTimeout bounds all calls to Polar of one attempt together. A request
	// that was sent is waited for, whatever an operator or a shutdown wants
	// meanwhile.
	CallsTimeout = 12 * time.Second
	// lookupTimeout bounds the lookup, so that a slow Polar leaves the deletion
	// behind it as much time.
	lookupTimeout = CallsTimeout / 2
	// lossTimeout bounds the question what the deletion will end.
	lossTimeout = 2 * time.Second
	// failuresBeforeProbe is how often a deletion has failed before a lookup that
	// fails is followed by a probe: most failures are over by then.
	failuresBeforeProbe = 5
	// operatorPause is how long all calls rest when only an operator, or Polar,
	// can remove the cause.
	operatorPause = time.Minute
)

// Permit is the right to send requests to Polar.
type Permit interface {
	// Report tells the limiter what the requests came to, once for all of them. It is
	// short, and goes on where ctx has ended.
	Report(ctx context.Context, d Decision) error
}

// Limiter gives permits.
type Limiter interface {
	// Acquire waits for so many requests together. A decision says why there is
	// no permit: Wait, or Retry when the database does not answer.
	Acquire(ctx context.Context, requests int) (Permit, Decision)
	// Charge counts one more request under a permit.
	Charge(ctx context.Context) error
}

// Journal writes down that a request is about to be sent.
type Journal interface {
	// BeginSend returns nil once it is on disk that the DELETE may have been
	// sent. A decision says why it must not be sent.
	BeginSend(ctx context.Context, s Sending) Decision
}

// Sending is a DELETE that is about to be sent.
type Sending struct {
	Permit    Permit
	Saw       Saw // what the lookup of this attempt came to, and Customer whom it saw
	Customer  Customer
	Loss      *Loss // what is known of what the deletion ends
	Counts    bool  // the deletion takes a place in the hour
	Anonymize bool  // the request asks to erase name and e-mail as well
}

// Metrics counts what Polar answered.
type Metrics interface {
	// Attempt counts one request about a deletion.
	Attempt(provider string, result polar.Result)
	// RateLimitWait observes how long a permit was waited for.
	RateLimitWait(d time.Duration)
	// Searched counts one search by metadata.
	Searched(result Search)
	// SetGuardsBlind states which guards see nothing.
	SetGuardsBlind(guards []HoldReason)
}

// Options for New.
type Options struct {
	Polar   *polar.Client
	Limiter Limiter
	Metrics Metrics
	Logger  *zap.Logger // hears when guards cannot look customers up; nil is nobody
	Now     func() time.Time
	// Owns reports whether the database belongs to the organization of a customer
	// who was looked up; nil is always.
	Owns func(organization string) bool
	// Anonymize asks Polar to erase name and e-mail too. Polar takes that with
	// the first call or never.
	Anonymize bool

	GracePeriod time.Duration // how long after its arrival a deletion is not tried
	Confirmer   Confirmer     // asks the identity provider; nil asks nobody
	// MetadataKey is the key of customers', subscriptions' and orders' metadata that may
	// have the user's id; "" searches for nobody.
	MetadataKey string
	// LookBeforeDelete looks the customer up first. Without it HoldTeam,
	// HoldRecreated and the hourly limit do nothing.
	LookBeforeDelete bool
	// RecordLoss asks what the deletion will end, once the customer was found.
	RecordLoss    bool
	HoldTeam      bool // holds deletions of teams
	HoldRecreated bool // holds deletions of customers younger than the event
	// HoldBlind holds deletions while Polar does not let customers be looked up;
	// otherwise they go on without HoldTeam and HoldRecreated.
	HoldBlind bool
}

// Deleter carries out deletions.
type Deleter struct {
	options Options

	mutex  sync.Mutex
	blind  bool      // the last lookup was impossible, and that was said
	hidden time.Time // when Polar last said that the token may not see subscriptions

	asking sync.Mutex  // held while it is not known whether the token may
	scoped atomic.Bool // the last answer about subscriptions said that it may
}

// New returns a Deleter.
func New(o Options) *Deleter {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Deleter{options: o}
}

// Observed is what an attempt saw and did, whatever its decision.
type Observed struct {
	// PolarStatus is the HTTP status of Polar's last answer, 0 when there was
	// none, and PolarError the error code in it.
	PolarStatus int
	PolarError  string
	Customer    Customer // whom the lookup found; of a finished deletion, who was deleted
	// Sent says that the DELETE may have been done: it was sent, and no answer
	// proves that nothing was done.
	Sent bool
	// GuardsBlind says that guards saw nothing, because Polar did not let the
	// customer be looked up.
	GuardsBlind bool
	// Loss is what the deletion ends besides the customer; nil when nobody asked, or
	// Polar did not tell.
	Loss *Loss
	// SubscriptionsEnded is what a verification learned; "" is not asked.
	SubscriptionsEnded SubscriptionsEnded

	// Search is what the search by metadata came to, "" when nobody searched, and
	// Candidates are the customers, by Polar's ids, when they are several.
	Search     Search
	Candidates []string

	answered bool // Polar answered something
	works    bool // Polar has just answered as it should
}

func (o *Observed) see(answer polar.Answer) {
	o.PolarStatus, o.PolarError = answer.StatusCode, answer.ErrorCode
	o.answered = o.answered || answer.StatusCode != 0
}

// Apply makes one attempt: guards that need nobody, then a permit, then the
// lookup and its guards, then the deletion, once journal says that it may be sent.
// Until then ctx ends it.
func (d *Deleter) Apply(ctx context.Context, a Attempt, journal Journal) (Observed, Decision) {
	if err := polar.CheckExternalID(a.ExternalID); err != nil {
		return Observed{}, Hold{Reason: HoldUnaddressable, Err: err}
	}
	if wait := d.grace(a); wait != nil {
		return Observed{}, wait
	}
	if decision := d.confirm(ctx, a); decision != nil {
		return Observed{}, decision
	}
	ctx = polar.WithTraceparent(ctx, a.Traceparent.child())
	requests := 1
	switch found := a.approvedCustomer() != ""; {
	case found:
		requests += len(polar.Resources())
	case d.options.LookBeforeDelete:
		requests++
	}
	if d.options.LookBeforeDelete && d.options.RecordLoss {
		requests++
	}
	return d.withPermit(ctx, requests, func(ctx context.Context, permit Permit, seen *Observed) Decision {
		return d.request(ctx, a, permit, journal, seen)
	})
}

// request makes the requests to Polar, each guard in its place before the deletion.
func (d *Deleter) request(ctx context.Context, a Attempt, permit Permit, journal Journal, seen *Observed) Decision {
	found, decision := d.lookup(ctx, &a, seen)
	if decision != nil {
		return decision
	}
	d.recordLoss(ctx, a, found, seen)
	for _, guard := range []func(Attempt, lookup) Decision{d.team, d.recreated} {
		if decision := guard(a, found); decision != nil {
			return decision
		}
	}
	// Whatever takes a place in the hour may be deleted. Only customers do, so that
	// those who never bought anything take none; where Polar cannot tell, everybody
	// may be one.
	counts := d.options.LookBeforeDelete && found.saw != SawNobody && !a.Approves(HoldMassDeletion, found.customer.ID)
	saw := found.saw
	if saw != SawNobody && a.approvedCustomer() != "" {
		saw = SawFound
	}
	sending := Sending{Permit: permit, Saw: saw, Customer: found.customer, Loss: seen.Loss, Counts: counts, Anonymize: d.options.Anonymize}
	if decision := journal.BeginSend(ctx, sending); decision != nil {
		return decision
	}
	if a.DryRun {
		return d.assess(ctx, a, found, seen)
	}
	return d.delete(ctx, a, seen)
}

// withPermit makes so many requests under a permit, and tells the limiter what
// they came to. They are bounded by CallsTimeout.
func (d *Deleter) withPermit(ctx context.Context, requests int, do func(context.Context, Permit, *Observed) Decision) (Observed, Decision) {
	var seen Observed
	asked := d.options.Now()
	permit, decision := d.options.Limiter.Acquire(ctx, requests)
	d.options.Metrics.RateLimitWait(d.options.Now().Sub(asked))
	if decision != nil {
		return seen, decision
	}
	calls, cancel := context.WithTimeout(ctx, CallsTimeout)
	defer cancel()
	decision = do(calls, permit, &seen)
	if tells(decision, seen) {
		if err := permit.Report(ctx, decision); err != nil {
			d.options.Logger.Error("the limiter was not told how Polar answered", zap.Error(err))
		}
	}
	return seen, decision
}

// tells reports whether the decision says anything about Polar: what never came
// to a request does not.
func tells(decision Decision, seen Observed) bool {
	switch decision := decision.(type) {
	case Retry:
		return decision.Outage || seen.answered
	case Wait:
		return decision.Everybody || seen.answered && decision.Reason != WaitStopping
	}
	return seen.answered
}
