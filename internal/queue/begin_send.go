package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
)

const (
	// hour is how long a deletion counts for MAX_DELETIONS_PER_HOUR.
	hour = time.Hour
	// InFlight is how long after a request was sent nobody else sends one, if its
	// answer was not heard of: longer than the requests of an attempt may take.
	InFlight = deletion.CallsTimeout + 8*time.Second
)

var (
	errMass     = errors.New("more customers would be deleted within an hour than MAX_DELETIONS_PER_HOUR allows")
	errChanged  = errors.New("the deletion was cancelled, or sent on its way again, meanwhile")
	errInFlight = errors.New("another run has a request on its way")
)

// send is a DELETE that is about to be sent.
type send struct {
	deletion.Sending

	id, generation int64
	dryRun         bool
	// loaded is what the row said when the run looked at it.
	loaded sendState

	// What it came to: nil when it may be sent, and then what stood there before.
	decision deletion.Decision
	before   sendState
	attempts int64
	after    sendState
}

// sendState is what a row says of requests that were sent.
type sendState struct {
	sentAt     int64
	inFlight   bool
	saw        event.Saw
	anonymized bool
}

// sending is what it says once another request was sent: as little as is certain
// of all of them.
func (s sendState) sending(o deletion.Sending, now time.Time) sendState {
	next := sendState{sentAt: Micros(now), inFlight: true, saw: o.Saw, anonymized: o.Anonymize}
	if s.sentAt == 0 {
		return next
	}
	next.anonymized = next.anonymized && s.anonymized
	if s.saw == event.SawCustomer || s.saw == event.SawNothing && o.Saw == event.SawNobody {
		next.saw = s.saw
	}
	return next
}

// left is for how long nobody else may send, 0 when somebody may. now is of the
// same clock as sentAt.
func (s sendState) left(now time.Time) time.Duration {
	passed := now.Sub(Instant(s.sentAt))
	if !s.inFlight || passed < -InFlight || passed >= InFlight { // its process died, or the clock stepped back
		return 0
	}
	return min(InFlight-passed, InFlight)
}

// beginSends writes onto the rows that their requests are about to be sent, or
// says why they must not be. The limiter's row is locked first, by a statement of
// its own, so that neither a pause begins nor the hour is counted in between.
func (q *Queue) beginSends(ctx context.Context, tx *sql.Tx, sends []*send) error {
	if len(sends) == 0 {
		return nil
	}
	slices.SortFunc(sends, func(a, b *send) int { return int(a.id - b.id) }) // as operators' commands lock them
	locked, err := q.options.Limiter.Lock(ctx, tx)
	if err != nil {
		return err
	}
	h := &hourCount{limit: q.options.MaxDeletionsPerHour, now: locked.Now()}
	for _, s := range sends {
		if s.decision = locked.Decide(s.Permit); s.decision != nil {
			continue
		}
		if err := q.beginSend(ctx, tx, s, h); err != nil {
			return fmt.Errorf("begin send: %w", err)
		}
	}
	return nil
}

func (q *Queue) beginSend(ctx context.Context, tx *sql.Tx, s *send, h *hourCount) error {
	var countedAt int64
	err := tx.QueryRowContext(ctx, `SELECT sent_at, in_flight, sent_saw, sent_anonymized, counted_at, attempts FROM polar_bridge_deletions
		WHERE id = $1 AND generation = $2 AND state = 'waiting'`+q.store.ForUpdate(), s.id, s.generation).
		Scan(&s.before.sentAt, &s.before.inFlight, &s.before.saw, &s.before.anonymized, &countedAt, &s.attempts)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		s.decision = deletion.Wait{Reason: deletion.WaitChanged, Err: errChanged}
		return nil
	case err != nil:
		return err
	}
	if s.before.sentAt != s.loaded.sentAt { // what the answer means depends on it
		s.decision = deletion.Wait{Reason: deletion.WaitChanged, Err: errChanged}
		return nil
	}
	if left := s.before.left(h.now); left > 0 {
		s.decision = deletion.Wait{Reason: deletion.WaitInFlight, For: left, Err: errInFlight}
		return nil
	}
	if s.Counts {
		free, err := h.take(ctx, tx, countedAt)
		if err != nil {
			return err
		}
		if !free {
			s.decision = deletion.Hold{Reason: event.HoldMassDeletion, Err: errMass}
			return nil
		}
		countedAt = Micros(h.now)
	}
	s.after = s.before
	if !s.dryRun {
		s.after = s.before.sending(s.Sending, h.now)
	}
	s.attempts++
	_, err = tx.ExecContext(ctx, `UPDATE polar_bridge_deletions SET attempts = $2, sent_at = $3, sent_anonymized = $4, counted_at = $5, sent_saw = $9, in_flight = $10,
		customer_id = CASE WHEN $6 = '' THEN customer_id ELSE $6 END, customer_type = CASE WHEN $6 = '' THEN customer_type ELSE $7 END,
		customer_created_at = CASE WHEN $6 = '' THEN customer_created_at ELSE $8 END WHERE id = $1`,
		s.id, s.attempts, s.after.sentAt, s.after.anonymized, countedAt, s.Customer.ID, s.Customer.Type, Micros(s.Customer.CreatedAt), string(s.after.saw), s.after.inFlight)
	return err
}

// hourCount is how many deletions took a place within the last hour.
type hourCount struct {
	limit   int // 0 is none
	now     time.Time
	count   int
	counted bool
}

// take takes a place, unless all are taken by others. One that has a place of
// the last hour keeps it, and is counted from now on: what counts is when it may
// reach Polar.
func (h *hourCount) take(ctx context.Context, tx *sql.Tx, countedAt int64) (bool, error) {
	if h.limit == 0 {
		return true, nil
	}
	since := Micros(h.now.Add(-hour))
	if !h.counted {
		// A time in the future comes from a clock that stepped back. It counts from
		// now on, so that it can neither vanish early nor stay for ever.
		if _, err := tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET counted_at = $1 WHERE counted_at > $1 AND counted_at > 0", Micros(h.now)); err != nil {
			return false, fmt.Errorf("count the hour: %w", err)
		}
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM polar_bridge_deletions WHERE counted_at > $1 AND counted_at > 0", since).Scan(&h.count)
		if err != nil {
			return false, fmt.Errorf("count the hour: %w", err)
		}
		h.counted = true
	}
	if countedAt > since {
		return true, nil
	}
	if h.count >= h.limit {
		return false, nil
	}
	h.count++
	return true, nil
}
