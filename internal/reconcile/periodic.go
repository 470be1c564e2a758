package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Last is the last sweep that came to its end, whoever ran it.
type Last struct {
	FinishedAt time.Time // zero for never
	Orphans    int
}

// Last returns the last sweep that came to its end.
func (s *Sweeper) Last(ctx context.Context) (Last, error) {
	last, _, err := s.store.last(ctx)
	return last, err
}

// SweepWhenDue sweeps when the last sweep ended that long ago and nobody else
// has begun, and only reports. It says whether it did.
func (s *Sweeper) SweepWhenDue(ctx context.Context, interval time.Duration, limits Limits) (swept bool, counts Counts, err error) {
	last, attemptedAt, err := s.store.last(ctx)
	if err != nil {
		return false, Counts{}, err
	}
	now := s.options.Now()
	if now.Sub(last.FinishedAt) < interval || now.Sub(attemptedAt) < min(tryAgain, interval) {
		return false, Counts{}, nil
	}
	counts, err = s.Sweep(ctx, limits, func(context.Context, *Found) error { return nil })
	if errors.Is(err, ErrBusy) {
		return false, Counts{}, nil
	}
	return true, counts, err
}

func (s store) last(ctx context.Context) (last Last, attemptedAt time.Time, err error) {
	var finished, attempted int64
	err = s.db.QueryRowContext(ctx, "SELECT finished_at, attempted_at, orphans FROM polar_bridge_sweeps WHERE provider = $1", s.provider).
		Scan(&finished, &attempted, &last.Orphans)
	if errors.Is(err, sql.ErrNoRows) {
		return Last{}, time.Time{}, nil
	}
	if err != nil {
		return Last{}, time.Time{}, fmt.Errorf("look for the last sweep: %w", err)
	}
	if finished > 0 {
		last.FinishedAt = time.UnixMicro(finished)
	}
	return last, time.UnixMicro(attempted), nil
}
