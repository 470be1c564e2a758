package ratelimit

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// state is the row as it was at now. Times are UNIX microseconds.
type state struct {
	now, tat, blockedUntil int64
	reason                 deletion.WaitReason
	failures               int64
	sweepDue               int64
}

// clock is the time that statements are told: none where the database has to
// take its own.
func (l *Limiter) clock() any {
	if l.serverClock {
		return (*int64)(nil)
	}
	return l.now().UnixMicro()
}

// take acquires so many requests at once if they are due. Where a pause must end
// with a probe, that renews the block, so that whoever acquired them goes alone.
func (l *Limiter) take(ctx context.Context, requests int) (current state, ok bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	current, err = scan(l.db.QueryRowContext(bounded, l.sql.Take, l.name, l.clock(),
		MaxPause.Microseconds(), l.tolerance(1).Microseconds(), l.interval.Microseconds(), probeLease.Microseconds(),
		l.tolerance(requests).Microseconds(), (time.Duration(requests) * l.interval).Microseconds(), l.sweepInterval.Microseconds()))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		current, err = l.look(ctx)
		return current, false, err
	case err != nil && bounded.Err() != nil:
		return current, false, fmt.Errorf("%w: %w", errLocked, err)
	}
	return current, err == nil, err
}

var errLocked = fmt.Errorf("the database did not answer within %s; another transaction may hold the row of polar_bridge_rate_limit: end the session that left it open", lockTimeout)

// Charge counts one more request that goes out under a permit, so that the next
// one is due later.
func (l *Limiter) Charge(ctx context.Context) error {
	_, err := l.db.ExecContext(ctx, l.sql.Charge, l.name, l.clock(), l.tolerance(1).Microseconds(), l.interval.Microseconds())
	if err != nil {
		return fmt.Errorf("count a request: %w", err)
	}
	return nil
}

// Lock locks the row for tx, so that no pause begins before tx ends, and returns
// the time since then.
func (l *Limiter) Lock(ctx context.Context, tx *sql.Tx) (*Locked, error) {
	current, err := scan(tx.QueryRowContext(ctx, l.sql.Lock, l.name, l.clock()))
	if err != nil {
		return nil, fmt.Errorf("lock the rate limit: %w", err)
	}
	return &Locked{state: current}, nil
}

// Clock is the limiter's time: the database's own, or this process'.
func (l *Limiter) Clock(ctx context.Context, tx *sql.Tx) (time.Time, error) {
	current, err := scan(tx.QueryRowContext(ctx, l.sql.Look, l.name, l.clock()))
	if err != nil {
		return time.Time{}, fmt.Errorf("look at the rate limit's clock: %w", err)
	}
	return time.UnixMicro(current.now), nil
}

// Locked is the row while a transaction has it locked.
type Locked struct{ state state }

// Now is the limiter's time when it was locked.
func (l *Locked) Now() time.Time { return time.UnixMicro(l.state.now) }

// Decide says why what has the permit must not be sent after all: a pause began
// since it was acquired. It returns nil when it may.
func (l *Locked) Decide(p deletion.Permit) deletion.Decision {
	permit, ours := p.(Permit)
	left := time.Duration(l.state.blockedUntil-l.state.now) * time.Microsecond
	if !ours || left <= 0 || left > MaxPause || l.state.blockedUntil == permit.at.blockedUntil && l.state.reason == permit.at.reason {
		return nil
	}
	return l.state.notDue(0)
}

func (l *Limiter) look(ctx context.Context) (state, error) {
	s, err := scan(l.reader.QueryRowContext(ctx, l.sql.Look, l.name, l.clock()))
	if time.Duration(s.sweepDue-s.now)*time.Microsecond > l.sweepInterval {
		s.sweepDue = 0 // not ours to wait for, or of a clock that stepped back
	}
	return s, err
}

// lookTogether looks once for all who come while somebody looks.
func (l *Limiter) lookTogether(ctx context.Context) (state, error) {
	looked := l.looks.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), AcquireTimeout)
		defer cancel()
		return l.look(ctx)
	})
	select {
	case result := <-looked:
		current, _ := result.Val.(state)
		return current, result.Err
	case <-ctx.Done():
		return state{}, context.Cause(ctx)
	}
}

func scan(row *sql.Row) (state, error) {
	var s state
	err := row.Scan(&s.now, &s.tat, &s.blockedUntil, &s.reason, &s.failures, &s.sweepDue)
	return s, err
}

// Report writes down what the requests came to, if anybody needs to know, within two
// seconds and whatever becomes of ctx.
func (p Permit) Report(ctx context.Context, d deletion.Decision) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	l, err := p.limiter, error(nil)
	wait, pauses := d.(deletion.Wait)
	retry, fails := d.(deletion.Retry)
	switch {
	case fails && retry.Outage:
		err = l.failed(ctx, p.at.reason)
	case pauses && wait.Everybody:
		_, err = l.db.ExecContext(ctx, l.sql.Pause, l.name, l.clock(),
			MaxPause.Microseconds(), min(wait.For, MaxPause).Microseconds(), string(wait.Reason))
	case p.at.reason != "" || p.at.failures > 0 || l.failing.Load():
		l.failing.Store(false)
		_, err = l.db.ExecContext(ctx, l.sql.Reset, l.name, string(p.at.reason))
	}
	if err != nil {
		return fmt.Errorf("report to the rate limit: %w", err)
	}
	return nil
}

// failed counts a failure. Several in a row keep the others away for the shortest gap,
// which doubles with each probe that fails: one that had to end a pause for the reason.
func (l *Limiter) failed(ctx context.Context, probed deletion.WaitReason) error {
	l.failing.Store(true)
	var failures int64
	err := l.db.QueryRowContext(ctx, l.sql.CountFailure, l.name, probed != "", circuitThreshold).Scan(&failures)
	if err != nil {
		return err
	}
	statement, wait := l.sql.PauseAfterFailures, gap(failures)
	if probed != "" {
		statement = l.sql.PauseAfterProbe
	}
	if probed == deletion.WaitUnauthorized || probed == deletion.WaitUnexpected {
		wait = operatorProbeInterval
	}
	_, err = l.db.ExecContext(ctx, statement, l.name, l.clock(),
		MaxPause.Microseconds(), wait.Microseconds(), circuitThreshold)
	return err
}

// gap is the time between two probes after so many failures in a row.
func gap(failures int64) time.Duration {
	const doublings = 5 // beyond them the gap is longest anyway
	return min(shortestGap<<min(max(failures-circuitThreshold, 0), doublings), longestGap)
}

// due is how long until a permit may be due, as far as this state tells. Like
// the statements it takes what is too far ahead for past.
func (s state) due(tolerance time.Duration) time.Duration {
	spaced := time.Duration(s.tat-s.now)*time.Microsecond - tolerance
	paused := time.Duration(s.blockedUntil-s.now) * time.Microsecond
	if paused > MaxPause {
		paused = 0
	}
	swept := time.Duration(s.sweepDue-s.now) * time.Microsecond
	return max(min(spaced, MaxPause), paused, swept, 0)
}

// notDue tells a worker when to ask again.
func (s state) notDue(tolerance time.Duration) deletion.Decision {
	reason := cmp.Or(s.reason, deletion.WaitPermit)
	const soonest = time.Second
	return deletion.Wait{Reason: reason, For: max(s.due(tolerance), soonest), Err: fmt.Errorf("no permit for Polar: %s", reason)}
}

// Pause returns why no request may go out at present, "" when they may, and when the
// next one may. A pause that only a request can end is over when its time is and nobody
// has come to make that request: then it keeps nobody waiting.
func (l *Limiter) Pause(ctx context.Context) (reason deletion.WaitReason, until time.Time, err error) {
	s, err := l.look(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("look at the rate limit: %w", err)
	}
	left, longest := time.Duration(s.blockedUntil-s.now)*time.Microsecond, MaxPause
	if s.reason != deletion.WaitRateLimited {
		left, longest = left+probeDue, longest+probeDue
	}
	if left <= 0 || left > longest {
		return "", time.Time{}, nil
	}
	return s.reason, time.UnixMicro(s.blockedUntil), nil
}
