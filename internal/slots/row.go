package slots

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// state is the row as it was at now. Times are UNIX microseconds.
type state struct {
	now, tat, blockedUntil int64
	reason                 string
	failures               int64
	sweepDue               int64
}

// taken is the outcome of asking for a slot.
type taken struct {
	state

	ok bool
}

// clock is the time that statements are told: none where the database has to
// take its own.
func (l *Limiter) clock() any {
	if l.serverClock {
		return (*int64)(nil)
	}
	return l.now().UnixMicro()
}

// take takes so many slots at once if they are due. Where a pause must end with
// a probe, taking them renews the block, so that whoever took them goes alone.
func (l *Limiter) take(ctx context.Context, requests int) (taken, error) {
	if l.interval == 0 {
		current, err := l.look(ctx)
		if err != nil || current.reason == "" {
			return taken{state: current, ok: err == nil}, err
		}
	}
	s, err := scan(l.db.QueryRowContext(ctx, l.sql.take, l.name, l.clock(),
		MaxPause.Microseconds(), l.tolerance(1).Microseconds(), l.interval.Microseconds(), probeLease.Microseconds(),
		l.tolerance(requests).Microseconds(), (time.Duration(requests) * l.interval).Microseconds(), l.sweepInterval.Microseconds()))
	if errors.Is(err, sql.ErrNoRows) {
		s, err = l.look(ctx)
		return taken{state: s}, err
	}
	return taken{state: s, ok: err == nil}, err
}

// Spend counts one more request that goes out under a slot already taken, so
// that the next slot is due later.
func (l *Limiter) Spend(ctx context.Context) error {
	_, err := l.db.ExecContext(ctx, l.sql.spend, l.name, l.clock(), l.tolerance(1).Microseconds(), l.interval.Microseconds())
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "count a request: %w", err)
	}
	return nil
}

func (l *Limiter) look(ctx context.Context) (state, error) {
	s, err := scan(l.reader.QueryRowContext(ctx, l.sql.look, l.name, l.clock()))
	if time.Duration(s.sweepDue-s.now)*time.Microsecond > l.sweepInterval {
		s.sweepDue = 0 // not ours to wait for, or of a clock that stepped back
	}
	return s, err
}

func scan(row *sql.Row) (state, error) {
	var s state
	err := row.Scan(&s.now, &s.tat, &s.blockedUntil, &s.reason, &s.failures, &s.sweepDue)
	return s, err
}

// answered writes down how a request went, if anybody needs to know.
func (l *Limiter) answered(ctx context.Context, at state, pause string, wait time.Duration) error {
	var err error
	switch {
	case pause == fault.PauseOutage:
		err = l.failed(ctx, at.reason)
	case pause != "":
		_, err = l.db.ExecContext(ctx, l.sql.pause, l.name, l.clock(),
			MaxPause.Microseconds(), min(wait, MaxPause).Microseconds(), pause)
	case at.reason != "" || at.failures > 0 || l.failing.Load():
		l.failing.Store(false)
		_, err = l.db.ExecContext(ctx, l.sql.mend, l.name, at.reason)
	}
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "report to slots: %w", err)
	}
	return nil
}

// failed counts a failure; several in a row, or one of the probe that had to
// end a pause for probed, keep the others away for a gap that doubles.
func (l *Limiter) failed(ctx context.Context, probed string) error {
	l.failing.Store(true)
	var failures int64
	err := l.db.QueryRowContext(ctx, `UPDATE polar_bridge_slots SET failures = failures + 1
		WHERE name = $1 RETURNING failures`, l.name).Scan(&failures)
	if err != nil {
		return err
	}
	statement, wait := l.sql.fail, gap(failures)
	if probed != "" {
		statement = l.sql.failProbe
	}
	if probed == fault.PauseUnauthorized || probed == fault.PauseUnexpected {
		wait = mendingGap
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

// due is how long until a slot may be free, as far as this state tells. Like
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

// paused is the error that tells a worker when to come again.
func (s state) paused(tolerance time.Duration) error {
	reason := s.reason
	if reason == "" {
		reason = fault.ReasonNoSlot
	}
	const soonest = time.Second
	return fault.New(fault.Paused, reason, "no slot for Polar: %s", reason).After(max(s.due(tolerance), soonest))
}

// Paused returns why no request may go out at present, "" when they may. A pause
// that only a request can end is over when its time is and nobody has come to
// make that request: then it keeps nobody waiting.
func (l *Limiter) Paused(ctx context.Context) (string, error) {
	s, err := l.look(ctx)
	if err != nil {
		return "", fmt.Errorf("look at slots: %w", err)
	}
	left, longest := time.Duration(s.blockedUntil-s.now)*time.Microsecond, MaxPause
	if s.reason != fault.PauseRateLimited {
		left, longest = left+probeDue, longest+probeDue
	}
	if left <= 0 || left > longest {
		return "", nil
	}
	return s.reason, nil
}
