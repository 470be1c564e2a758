package ops

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Stats counts all deletions that are kept.
type Stats struct {
	Providers     []ProviderStats             `json:"providers"`      // in alphabetical order
	Held          map[deletion.HoldReason]int `json:"held_by_reason"` // what waits for a decision
	OldestWaiting time.Time                   `json:"oldest_waiting"` // when the oldest waiting deletion was accepted
	NextRetry     time.Time                   `json:"next_retry"`     // when the next one that waits for its time is due
	Pause         queue.Pause                 `json:"pause"`          // an operator's
}

// ProviderStats counts the deletions of one provider.
type ProviderStats struct {
	Provider   string                   `json:"provider"`   // selftest for what selftest sent
	Waiting    int                      `json:"waiting"`    // will be tried
	Held       int                      `json:"held"`       // wait for a decision
	Reappeared int                      `json:"reappeared"` // wait to be acknowledged
	Outcomes   map[deletion.Outcome]int `json:"outcomes"`   // finished ones
}

// Stats reads the whole table once.
func (o *Operator) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Held: make(map[deletion.HoldReason]int), Providers: []ProviderStats{}}
	err := o.read(ctx, func(rows *sql.Rows) error {
		var provider string
		var state deletion.State
		var reason deletion.HoldReason
		var outcome deletion.Outcome
		var n int
		var oldest, next int64
		if err := rows.Scan(&provider, &state, &reason, &outcome, &n, &oldest, &next); err != nil {
			return err
		}
		s.add(provider, state, reason, outcome, n)
		if state == deletion.StateWaiting {
			s.OldestWaiting = earlier(s.OldestWaiting, queue.Instant(oldest))
			s.NextRetry = earlier(s.NextRetry, queue.Instant(next))
		}
		return nil
	}, o.sql.CountAll)
	if err != nil {
		return Stats{}, err
	}
	s.Pause, err = o.Paused(ctx)
	return s, err
}

// earlier is the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// add counts n deletions of a provider; the providers come in order.
func (s *Stats) add(provider string, state deletion.State, reason deletion.HoldReason, outcome deletion.Outcome, n int) {
	if len(s.Providers) == 0 || s.Providers[len(s.Providers)-1].Provider != provider {
		s.Providers = append(s.Providers, ProviderStats{Provider: provider, Outcomes: make(map[deletion.Outcome]int)})
	}
	p := &s.Providers[len(s.Providers)-1]
	switch state {
	case deletion.StateWaiting:
		p.Waiting += n
	case deletion.StateHeld:
		p.Held += n
		s.Held[reason] += n
	case deletion.StateReappeared:
		p.Reappeared += n
		p.Outcomes[outcome] += n
	case deletion.StateDone, deletion.StateCancelled:
		p.Outcomes[outcome] += n
	}
}

// Ended is how many deletions ended so within the hour that began at Hour.
type Ended struct {
	Hour    time.Time
	Outcome deletion.Outcome
	Count   int
}

// EndedByHour counts what has ended since then.
func (o *Operator) EndedByHour(ctx context.Context, since time.Time) (all []Ended, err error) {
	err = o.read(ctx, func(rows *sql.Rows) error {
		var one Ended
		var hour int64
		err := rows.Scan(&hour, &one.Outcome, &one.Count)
		one.Hour = queue.Instant(hour)
		all = append(all, one)
		return err
	}, o.sql.EndedByHour, queue.Micros(since))
	return all, err
}

// Received is when the last deletion came from that source.
type Received struct {
	Provider string
	Source   deletion.Source
	At       time.Time
}

// LastReceivedAmong is how many of the newest deletions LastReceived looks at.
const LastReceivedAmong = 1000

// LastReceived says when the last of the newest deletions came from where.
func (o *Operator) LastReceived(ctx context.Context) (all []Received, err error) {
	err = o.read(ctx, func(rows *sql.Rows) error {
		var one Received
		var at int64
		err := rows.Scan(&one.Provider, &one.Source, &at)
		one.At = queue.Instant(at)
		all = append(all, one)
		return err
	}, o.sql.LastReceived, LastReceivedAmong)
	return all, err
}

// read calls scan for each row that the statement finds.
func (o *Operator) read(ctx context.Context, scan func(rows *sql.Rows) error, statement string, args ...any) error {
	if err := namedsql.Each(ctx, o.options.Reader, scan, statement, args...); err != nil {
		return fmt.Errorf("count deletions: %w", err)
	}
	return nil
}
