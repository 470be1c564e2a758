// Package reconcile is the use case of the sweep: it finds the customers at
// Polar whose user no longer exists at the identity provider, because a webhook
// got lost, and hands them to the queue when it is told to.
//
// It reads all customers and asks about them in bulk, without deciding
// anything; then it asks about each one that was missing, the candidates, alone.
// What it finds is kept in the database, so that an interrupted sweep can be
// resumed and its size costs no memory. It must not know which provider it asks,
// nor how the queue keeps deletions.
package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// youngest is how old a customer must be: one that was just made may belong
	// to a user whom the provider's list does not have yet.
	youngest = time.Hour
	// resumeWithin is how old an interrupted sweep may be to be resumed.
	resumeWithin = 24 * time.Hour
	// recheckAfter is how old what the provider said about one user may be.
	recheckAfter = time.Hour
	// retryAfter is how long after an attempt the next periodic one may begin.
	retryAfter = 15 * time.Minute
)

// Polar is what is asked of Polar.
type Polar interface {
	ListCustomers(ctx context.Context, page, limit int) (polar.Page, polar.Answer, error)
	GetState(ctx context.Context, externalID string) (polar.State, polar.Answer, error)
}

// Limiter gives permits to send requests to Polar.
type Limiter interface {
	Acquire(ctx context.Context, requests int) (deletion.Permit, deletion.Decision)
}

// Queue keeps deletions.
type Queue interface {
	// LeftAlone says which of the deletions are not to be accepted, and why, by event
	// id: those about whose customer somebody has decided, or must, or whose customer
	// is about to be deleted anyway. One that is kept already is a duplicate, and none
	// of them.
	LeftAlone(ctx context.Context, deletions []deletion.Deletion) (map[string]deletion.Standing, error)
	Accept(ctx context.Context, deletions []deletion.Deletion) (deletion.Receipt, error)
}

// Options for New.
type Options struct {
	// DB holds the tables polar_bridge_sweeps and polar_bridge_sweep_candidates.
	DB *sql.DB
	// SQL says in which schema they are.
	SQL     namedsql.Target
	Polar   Polar
	Limiter Limiter
	Source  directory.Source
	Now     func() time.Time
	// Wait waits; nil is a timer. Tests need not.
	Wait func(ctx context.Context, d time.Duration) error
	// Pattern limits the external ids that are looked at; nil for all.
	Pattern *regexp.Regexp
	// IsUsers says whether an external id can be the one of a user of anything that
	// deletions come from: how many customers have such a one is counted and stored;
	// nil counts nothing.
	IsUsers func(externalID string) bool
	// Lease is for how long nobody else may sweep after a crash; 0 is 15 s.
	Lease time.Duration
	// OnProgress hears how far a sweep is. May be nil.
	OnProgress func(Progress)
}

// Limits say when a sweep refuses to go on: a wrong API key makes everybody an
// orphan.
type Limits struct {
	// Share is the largest part of the customers, from 0 to 1, that may be
	// orphans.
	Share float64
	// Max is the largest number of orphans; 0 is no limit.
	Max int
	// MostExist refuses unless most of those asked about exist, whatever Share is.
	MostExist bool
	// Restart starts over even when a sweep could be resumed.
	Restart bool
}

// Progress says how far a sweep is.
type Progress struct {
	// Checking is set once all customers are read and each candidate is asked
	// about.
	Checking    bool
	Done, Total int
}

// Counts say what was found.
type Counts struct {
	Read       int     `json:"read"`                // all customers at Polar; the next four are parts of it
	WithoutID  int     `json:"without_external_id"` // have no external id
	Foreign    int     `json:"foreign"`             // have one that is not this provider's, or misses EXTERNAL_ID_PATTERN
	Young      int     `json:"young"`               // are younger than an hour
	Asked      int     `json:"asked"`               // were asked about
	Mapping    Mapping `json:"mapping"`             // the customers who were read, by the forms of their external ids
	Candidates int     `json:"candidates"`          // of those asked about, whom the provider did not list
	Orphans    int     `json:"orphans"`             // of these, whom it says are gone when asked for each
}

// Orphan is a customer whose user is gone.
type Orphan struct {
	ExternalID string    `json:"external_id"` // the customer's
	CustomerID string    `json:"customer_id"` // Polar's
	Type       string    `json:"type"`        // Polar's: individual or team
	CreatedAt  time.Time `json:"created_at"`  // when the customer was created
	// ActiveSubscriptions is what a deletion would end; null when Polar did not say.
	ActiveSubscriptions *int `json:"active_subscriptions"`
	// LeftAlone says where another deletion of the customer stands because of which
	// this one is not put into the queue, "" when there is none.
	LeftAlone  deletion.State      `json:"left_alone"`
	HoldReason deletion.HoldReason `json:"hold_reason"` // why that other one is held

	// Instance is the provider's instance whose word it is, as events name it,
	// "" when that is not known.
	Instance string `json:"-"`

	checkedAt time.Time
}

// Why there is no result. The texts are for people.
var (
	// ErrBusy says that another process sweeps.
	ErrBusy = errors.New("another process is reconciling this provider's users; wait until it has ended")
	// ErrRefused says that too many would be orphans to be true.
	ErrRefused = errors.New("refused")
	// errLost says that another process took over.
	errLost = errors.New("another process has taken the sweep over")
)

// Sweeper compares Polar's customers with one provider's users.
type Sweeper struct {
	options Options
	store   store
}

// New returns a Sweeper. It does nothing yet.
func New(o Options) (*Sweeper, error) {
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Lease <= 0 {
		o.Lease = 15 * time.Second
	}
	if o.OnProgress == nil {
		o.OnProgress = func(Progress) {}
	}
	store, err := newStore(o)
	return &Sweeper{options: o, store: store}, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sweep finds the orphans, or resumes an interrupted sweep, and calls finish with
// what it found while it still holds the sweep: when finish fails, the next Sweep
// resumes there.
//
// Errors: ErrBusy, ErrRefused, what finish returns, and whatever kept it from
// a clear answer about everybody.
func (s *Sweeper) Sweep(ctx context.Context, limits Limits, finish func(context.Context, *Found) error) (Counts, error) {
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return Counts{}, err
	}
	defer release()
	current, err := s.store.resume(ctx, limits.Restart)
	if err != nil {
		return Counts{}, err
	}
	err = s.find(ctx, &current, limits)
	if errors.Is(err, ErrRefused) {
		err = errors.Join(err, s.store.abandon(ctx)) // what comes next has other credentials or limits
	}
	if err == nil {
		err = finish(ctx, &Found{Counts: current.Counts, sweeper: s})
	}
	if err == nil {
		err = s.store.finish(ctx, current.Counts.Orphans)
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLost) {
		err = errors.Join(cause, err)
	}
	return current.Counts, err
}

// find reads the customers, unless that was done, and checks the candidates.
func (s *Sweeper) find(ctx context.Context, current *sweep, limits Limits) error {
	if current.phase == phaseReading {
		if err := s.read(ctx, current, limits); err != nil {
			return err
		}
		if s.options.IsUsers != nil {
			if err := s.SaveMapping(ctx, current.Counts.Mapping); err != nil {
				return err
			}
		}
	}
	if err := limits.checkAll(current.Counts); err != nil {
		return err
	}
	if err := s.checkCandidates(ctx, current); err != nil {
		return err
	}
	var err error
	_, current.Counts.Orphans, err = s.store.count(ctx)
	return err
}

// check refuses what is too much to be true. among is how many customers the
// candidates can be a part of at the most.
func (l Limits) check(c Counts, among int) error {
	if l.Max > 0 && c.Candidates > l.Max {
		return fmt.Errorf("%w: more than %d users are not at the provider, which is more than --max allows", ErrRefused, l.Max)
	}
	if float64(c.Candidates) > l.Share*float64(among) {
		return fmt.Errorf("%w: %d of %d users are not at the provider, which is more than --max-share allows (%g%%). "+
			"Check that the credentials belong to the right instance or tenant; raise --max-share only if these users are really gone",
			ErrRefused, c.Candidates, among, l.Share*100)
	}
	return nil
}

// checkAll is check once all customers were read. That nobody at all is left
// has one likely cause, however large a share is allowed.
func (l Limits) checkAll(c Counts) error {
	if c.Asked > 0 && c.Candidates == c.Asked {
		return fmt.Errorf("%w: the provider knows none of the %d users: the credentials belong to another instance or tenant", ErrRefused, c.Asked)
	}
	if l.MostExist && 2*c.Candidates >= c.Asked {
		return fmt.Errorf("%w: %d of %d users are not at the provider, and its ids look like those of others: most must exist before any who does not is believed to be gone", ErrRefused, c.Candidates, c.Asked)
	}
	return l.check(c, c.Asked)
}

// Last is the last sweep that was completed, whoever ran it.
type Last struct {
	FinishedAt time.Time // zero for never
	Orphans    int

	BegunAt    time.Time // the newest one, complete or not
	Incomplete string    // what became of that one in words, "" when it is complete or under way
}

// Last returns the last sweep that was completed.
func (s *Sweeper) Last(ctx context.Context) (Last, error) {
	return s.store.last(ctx)
}

// SweepWhenDue sweeps when the last sweep was completed that long ago and nobody
// else has begun, and only reports. It says whether it did.
func (s *Sweeper) SweepWhenDue(ctx context.Context, interval time.Duration, limits Limits) (swept bool, counts Counts, err error) {
	last, err := s.store.last(ctx)
	if err != nil {
		return false, Counts{}, err
	}
	now := s.options.Now()
	if now.Sub(last.FinishedAt) < interval || now.Sub(last.BegunAt) < min(retryAfter, interval) {
		return false, Counts{}, nil
	}
	counts, err = s.Sweep(ctx, limits, func(context.Context, *Found) error { return nil })
	if errors.Is(err, ErrBusy) {
		return false, Counts{}, nil
	}
	return true, counts, err
}

// Found is what a sweep found.
type Found struct {
	Counts

	sweeper *Sweeper
}

// Each calls act for each orphan, the oldest first; act may use the database, of
// which SQLite has one connection.
func (f *Found) Each(ctx context.Context, queue Queue, act func(Orphan) error) error {
	return f.chunks(ctx, queue, func(orphans []Orphan) error {
		for _, o := range orphans {
			if err := act(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// chunks calls act with some orphans at a time, as the queue knows them right then.
func (f *Found) chunks(ctx context.Context, queue Queue, act func([]Orphan) error) error {
	var last Orphan
	for {
		orphans, err := f.sweeper.store.next(ctx, statusDeleted, last)
		if err != nil || len(orphans) == 0 {
			return err
		}
		deletions := make([]deletion.Deletion, len(orphans))
		for i, o := range orphans {
			deletions[i] = f.sweeper.deletion(o)
		}
		left, err := queue.LeftAlone(ctx, deletions)
		if err != nil {
			return fmt.Errorf("look for decisions about orphans: %w", err)
		}
		for i, d := range deletions {
			standing := left[d.EventID]
			orphans[i].LeftAlone, orphans[i].HoldReason = standing.State, standing.Reason
		}
		if err := act(orphans); err != nil {
			return err
		}
		last = orphans[len(orphans)-1]
	}
}

// Apply hands the orphans to the queue, but for those that it leaves alone, and
// counts these. Each is a deletion like any other and meets the same guards. Its
// event id is the customer's: the same customer is a duplicate when found again, and
// neither a webhook about the same user nor a customer that was created again is.
func (f *Found) Apply(ctx context.Context, queue Queue) (total deletion.Receipt, leftAlone int, err error) {
	err = f.chunks(ctx, queue, func(orphans []Orphan) error {
		var deletions []deletion.Deletion
		for _, o := range orphans {
			if o.LeftAlone == "" {
				deletions = append(deletions, f.sweeper.deletion(o))
			}
		}
		receipt, err := queue.Accept(ctx, deletions)
		if err != nil {
			return fmt.Errorf("hand orphans to the queue: %w", err)
		}
		total = total.Plus(receipt)
		leftAlone += len(orphans) - len(deletions)
		return nil
	})
	return total, leftAlone, err
}

// deletion is what the queue is told. It happened when the provider said that
// the user is gone: a customer made later belongs to somebody else.
func (s *Sweeper) deletion(o Orphan) deletion.Deletion {
	return deletion.Deletion{
		Provider: s.options.Source.Provider, EventID: deletion.ReconcileEventID(o.CustomerID),
		UserID: o.ExternalID, ExternalID: o.ExternalID, Instance: o.Instance, OccurredAt: o.checkedAt, ReceivedAt: s.options.Now(),
	}
}
