// Package slots decides when the next request to Polar may go out: one
// limiter, one pause and one circuit for all replicas, kept in one database
// row.
//
// A slot is taken only when it is due. A reservation for later would outlive a
// pause that begins in between. It must not know what a request is for.
package slots

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Bounds of the limiter.
const (
	// Burst is how many requests may go out at once after a quiet time.
	Burst = 10
	// Patience is how long one worker waits for its turn.
	Patience = 5 * time.Second
	// MaxPause is the longest pause; a later end is a clock that stepped back.
	MaxPause = 10 * time.Minute

	// circuitThreshold failures in a row open the circuit.
	circuitThreshold = 5
	// The open circuit lets one request through after each gap, which doubles
	// from shortestGap to longestGap.
	shortestGap = time.Second
	longestGap  = 30 * time.Second
	// mendingGap is the least time between two probes where somebody has to mend
	// something: a token, an address.
	mendingGap = time.Minute
	// probeLease is how long one such request keeps the others away when
	// nothing is heard of it: longer than one job's calls to Polar may take.
	probeLease = 15 * time.Second
	// probeDue is how soon after the end of such a pause somebody has come to try
	// Polar, if anybody waits: workers look for what is due every few seconds.
	probeDue = 30 * time.Second
	// raceDelay is the wait after another replica took the slot that looked due.
	raceDelay = 5 * time.Millisecond
	// lookAgain is how soon a waiter looks whether a pause ended early: a probe
	// that succeeds ends it for everybody.
	lookAgain = 500 * time.Millisecond
)

// Options for New.
type Options struct {
	// DB holds the table polar_bridge_slots; Reader is looked at where nothing
	// is written, so that looking keeps no webhook waiting.
	DB, Reader *sql.DB
	// ServerClock takes the time from the database, so that replicas need not
	// agree: set on Postgres. Otherwise the time is Now's.
	ServerClock bool
	// Now is the clock of this process.
	Now func() time.Time
	// Name is the row's name.
	Name string
	// PerMinute is the rate of evenly spaced requests; 0 is unlimited.
	PerMinute int
}

// Limiter hands out slots.
type Limiter struct {
	db, reader  *sql.DB
	name        string
	now         func() time.Time
	serverClock bool
	sql         statements
	interval    time.Duration // between two evenly spaced requests, 0 when unlimited
	// sweepInterval is the least time between two requests of all sweeps
	// together, 0 for the limiter of deletions.
	sweepInterval time.Duration
	turn          chan struct{} // held by the one waiter of this process that asks
	closed        chan struct{}
	failing       atomic.Bool // a failure was counted here since the last success
}

// New makes the limiter and its row.
func New(ctx context.Context, o Options) (*Limiter, error) {
	l := &Limiter{
		db: o.DB, reader: o.Reader, name: o.Name, now: o.Now, serverClock: o.ServerClock,
		sql:  newStatements(o.ServerClock),
		turn: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if o.PerMinute > 0 {
		l.interval = time.Minute / time.Duration(o.PerMinute)
	}
	_, err := l.db.ExecContext(ctx, "INSERT INTO polar_bridge_slots (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", l.name)
	if err != nil {
		return nil, fmt.Errorf("prepare slots: %w", err)
	}
	return l, nil
}

// sweepShare is the part of the rate, one in so many, that all sweeps of all
// replicas together may have: what is left is for deletions.
const sweepShare = 2

// ForSweeps returns the limiter for those who can wait: whatever number of them
// asks, in whatever process, they get no more than their share of the rate. It
// ends with l.
func (l *Limiter) ForSweeps() *Limiter {
	return &Limiter{
		db: l.db, reader: l.reader, name: l.name, now: l.now, serverClock: l.serverClock, sql: l.sql,
		interval: l.interval, sweepInterval: sweepShare * l.interval,
		turn: make(chan struct{}, 1), closed: l.closed,
	}
}

// Close ends all waiting, now and later: Take returns fault.Paused at once.
func (l *Limiter) Close() { close(l.closed) }

// Take waits until so many requests, from 1 to Burst, may go out together, for
// at most Patience. They are taken at once or not at all, and each counts. The
// caller must tell answered once how they went: "" when Polar answered sensibly,
// fault.PauseOutage when it failed, another pause reason with the time to wait
// when all replicas must stop.
//
// Errors: fault.Paused with the time after which to come again;
// fault.Unavailable when the database does not answer; ctx's error.
func (l *Limiter) Take(ctx context.Context, requests int) (answered func(ctx context.Context, pause string, wait time.Duration) error, err error) {
	select {
	case <-l.closed:
		return nil, errClosed()
	default:
	}
	patience := time.NewTimer(Patience)
	defer patience.Stop()

	if err := l.wait(ctx, patience.C, l.turn); err != nil {
		if !errors.Is(err, errImpatient) {
			return nil, err
		}
		return nil, l.comeAgain(ctx, requests)
	}
	defer func() { <-l.turn }()

	for {
		taken, err := l.take(ctx, requests)
		if err != nil {
			return nil, fault.New(fault.Unavailable, fault.ReasonDatabase, "take a slot: %w", err)
		}
		if taken.ok {
			return func(ctx context.Context, pause string, wait time.Duration) error {
				return l.answered(ctx, taken.state, pause, wait)
			}, nil
		}
		due := time.NewTimer(min(max(taken.due(l.tolerance(requests)), raceDelay), lookAgain))
		err = l.wait(ctx, patience.C, nil, due.C)
		due.Stop()
		if errors.Is(err, errImpatient) {
			return nil, taken.paused(l.tolerance(requests))
		}
		if err != nil {
			return nil, err
		}
	}
}

// errImpatient says that Patience ended.
var errImpatient = errors.New("no slot within a worker's patience")

// wait returns nil once it could send on turn or one of the due channels fired.
func (l *Limiter) wait(ctx context.Context, patience <-chan time.Time, turn chan<- struct{}, due ...<-chan time.Time) error {
	var fired <-chan time.Time
	if len(due) > 0 {
		fired = due[0]
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-fired:
		return nil
	case <-patience:
		return errImpatient
	case <-l.closed:
		return errClosed()
	case <-ctx.Done():
		return fmt.Errorf("wait for a slot: %w", ctx.Err())
	}
}

func errClosed() error {
	return fault.New(fault.Paused, fault.ReasonNoSlot, "the program is stopping")
}

// comeAgain is the answer for a worker that never got to ask.
func (l *Limiter) comeAgain(ctx context.Context, requests int) error {
	current, err := l.look(ctx)
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "look at slots: %w", err)
	}
	return current.paused(l.tolerance(requests))
}

// tolerance is how far ahead of an even spacing the first of so many requests
// may be, so that the last of them is still within the burst.
func (l *Limiter) tolerance(requests int) time.Duration {
	return time.Duration(Burst-requests) * l.interval
}
