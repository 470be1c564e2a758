// Package ratelimit decides when the next request to Polar may go out: one rate,
// one pause and one circuit breaker for all replicas, kept in one database row.
//
// A permit is given only when it is due. A reservation for later would outlive a
// pause that begins in between. It must not know what a request is for.
package ratelimit

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Bounds of the limiter.
const (
	// Burst is how many requests may go out at once after a quiet time.
	Burst = 10
	// AcquireTimeout is how long one worker waits for a permit.
	AcquireTimeout = 5 * time.Second
	// MaxPause is the longest pause; a later end is a clock that stepped back.
	MaxPause = 10 * time.Minute

	// lockTimeout is how long the row is waited for: longer than any server keeps it.
	lockTimeout   = 3 * time.Second
	reportTimeout = 2 * time.Second // bounds what is written after the requests
	// circuitThreshold failures in a row open the circuit breaker.
	circuitThreshold = 5
	// The open circuit breaker lets one request through after each gap, which
	// doubles from shortestGap to longestGap.
	shortestGap = time.Second
	longestGap  = 30 * time.Second
	// operatorProbeInterval is the least time between two probes where an operator
	// has to change something: a token, an address.
	operatorProbeInterval = time.Minute
	// probeLease is how long one such request keeps the others away when
	// nothing is heard of it: longer than one job's calls to Polar may take.
	probeLease = 15 * time.Second
	// probeDue is how soon after the end of such a pause somebody has come to try
	// Polar, if anybody waits: workers look for what is due every few seconds.
	probeDue = 30 * time.Second
	// raceDelay is the wait after another replica got the permit that looked due.
	raceDelay = 5 * time.Millisecond
	// lookAgain is how soon a waiter looks whether a pause ended early: a probe
	// that succeeds ends it for everybody.
	lookAgain = 500 * time.Millisecond
)

// Options for New.
type Options struct {
	// DB holds the table polar_bridge_rate_limit; Reader is looked at where nothing
	// is written, so that looking keeps no webhook waiting.
	DB, Reader *sql.DB
	// SQL says which kind of database it is, and in which schema the table is.
	SQL namedsql.Target
	// ProcessClock takes the time from Now. Otherwise Postgres tells it, so that
	// replicas need not agree.
	ProcessClock bool
	// Now is the clock of this process.
	Now func() time.Time
	// Name is the row's name.
	Name string
	// PerMinute is the rate of evenly spaced requests; 0 is unlimited.
	PerMinute int
}

//go:embed sql
var statementFiles embed.FS

// statements are the limiter's SQL, as it stands in sql.
type statements struct {
	MakeRow, Lock, Look, Take, Charge, Pause, CountFailure, PauseAfterFailures, PauseAfterProbe, Reset string
}

// Limiter gives permits.
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
	waiter        chan struct{} // held by the one waiter of this process that asks
	closed        chan struct{}
	looks         singleflight.Group
	failing       atomic.Bool // a failure was counted here since the last success
}

// New makes the limiter, and its row unless it is there: then nobody is waited for who
// has it locked.
func New(ctx context.Context, o Options) (*Limiter, error) {
	l := &Limiter{
		db: o.DB, reader: o.Reader, name: o.Name, now: o.Now, serverClock: o.SQL.Postgres && !o.ProcessClock,
		waiter: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if o.PerMinute > 0 {
		l.interval = time.Minute / time.Duration(o.PerMinute)
	}
	if err := o.SQL.Load(statementFiles, &l.sql); err != nil {
		return nil, err
	}
	_, err := l.look(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = l.db.ExecContext(ctx, l.sql.MakeRow, l.name)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare the rate limit: %w", err)
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
		waiter: make(chan struct{}, 1), closed: l.closed,
	}
}

// Close ends all waiting, now and later: Acquire gives no permit any more.
func (l *Limiter) Close() { close(l.closed) }

// Permit is the right to send requests that were acquired together.
type Permit struct {
	limiter *Limiter
	at      state // the row once it was acquired
}

// Acquire waits until so many requests, from 1 to Burst, may go out together, for
// at most AcquireTimeout. They are acquired at once or not at all, and each counts.
// The caller must tell the permit once what they came to, if Polar had any say in
// it.
//
// Without a permit it decides: Wait for the time after which to ask again, or
// Retry when the database does not answer, or not within three seconds.
func (l *Limiter) Acquire(ctx context.Context, requests int) (deletion.Permit, deletion.Decision) {
	select {
	case <-l.closed:
		return nil, deletion.Stopping()
	default:
	}
	if l.interval == 0 { // nothing is counted
		if current, err := l.lookTogether(ctx); err == nil && current.reason == "" {
			return Permit{l, current}, nil
		}
	}
	waiting, cancel := context.WithTimeout(ctx, AcquireTimeout)
	defer cancel()
	select {
	case l.waiter <- struct{}{}:
		defer func() { <-l.waiter }()
	case <-l.closed:
		return nil, deletion.Stopping()
	case <-waiting.Done():
		return nil, l.retryLater(ctx, requests)
	}
	for {
		current, ok, err := l.take(ctx, requests)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, deletion.Stopping()
		case err != nil:
			return nil, noDatabase("acquire a permit", err)
		case ok:
			return Permit{l, current}, nil
		}
		select {
		case <-time.After(min(max(current.due(l.tolerance(requests)), raceDelay), lookAgain)):
		case <-l.closed:
			return nil, deletion.Stopping()
		case <-waiting.Done():
			return nil, l.retryLater(ctx, requests)
		}
	}
}

func noDatabase(doing string, err error) deletion.Decision {
	return deletion.Retry{Reason: deletion.RetryDatabase, Err: fmt.Errorf("%s: %w", doing, err)}
}

// retryLater is the answer for a worker whose time is over.
func (l *Limiter) retryLater(ctx context.Context, requests int) deletion.Decision {
	if ctx.Err() != nil {
		return deletion.Stopping()
	}
	current, err := l.look(ctx)
	if err != nil {
		return noDatabase("look at the rate limit", err)
	}
	return current.notDue(l.tolerance(requests))
}

// tolerance is how far ahead of an even spacing the first of so many requests
// may be, so that the last of them is still within the burst.
func (l *Limiter) tolerance(requests int) time.Duration {
	return time.Duration(Burst-requests) * l.interval
}
