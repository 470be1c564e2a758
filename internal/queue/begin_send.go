package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
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
	decision  deletion.Decision
	before    sendState
	attempts  int64
	after     sendState
	countedAt int64
}

// sendState is what a row says of requests that were sent.
type sendState struct {
	sentAt     int64
	inFlight   bool
	saw        deletion.Saw
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
	if s.saw == deletion.SawCustomer || s.saw == deletion.SawNothing && o.Saw == deletion.SawNobody {
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
	locked, err := q.options.Limiter.Lock(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := q.readSends(ctx, tx, sends)
	if err != nil {
		return fmt.Errorf("begin send: %w", err)
	}
	h := &hourCount{limit: q.options.MaxDeletionsPerHour, now: locked.Now()}
	var begun []*send
	for _, s := range sends {
		if s.decision = locked.Decide(s.Permit); s.decision == nil {
			s.decision, err = s.begin(ctx, tx, rows[s.id], h)
		}
		if err != nil {
			return fmt.Errorf("begin send: %w", err)
		}
		if s.decision == nil {
			begun = append(begun, s)
			rows[s.id] = &sendRow{sendState: s.after, generation: s.generation, attempts: s.attempts, countedAt: s.countedAt}
		}
	}
	if err := q.writeSends(ctx, tx, begun); err != nil {
		return fmt.Errorf("begin send: %w", err)
	}
	return nil
}

// sendRow is what a waiting row says of its requests.
type sendRow struct {
	sendState

	generation, attempts, countedAt int64
}

// readSends reads and locks the rows that are still waiting, by their ids.
func (q *Queue) readSends(ctx context.Context, tx *sql.Tx, sends []*send) (map[int64]*sendRow, error) {
	found := make(map[int64]*sendRow, len(sends))
	for some := range powers(sends) {
		ids := make([]any, len(some))
		for i, s := range some {
			ids[i] = s.id
		}
		if err := q.readSome(ctx, tx, ids, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (q *Queue) readSome(ctx context.Context, tx *sql.Tx, ids []any, found map[int64]*sendRow) (err error) {
	//nolint:gosec // all parts are constants and numbers of ours
	rows, err := tx.QueryContext(ctx, "SELECT id, generation, sent_at, in_flight, sent_saw, sent_anonymized, counted_at, attempts FROM polar_bridge_deletions WHERE state = 'waiting' AND id IN "+
		Parameters(1, len(ids))+" ORDER BY id"+q.store.ForUpdate(), ids...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		r := &sendRow{}
		if err := rows.Scan(&id, &r.generation, &r.sentAt, &r.inFlight, &r.saw, &r.anonymized, &r.countedAt, &r.attempts); err != nil {
			return err
		}
		found[id] = r
	}
	return rows.Err()
}

// begin decides whether the request may be sent, nil if it may.
func (s *send) begin(ctx context.Context, tx *sql.Tx, row *sendRow, h *hourCount) (deletion.Decision, error) {
	if row == nil || row.generation != s.generation || row.sentAt != s.loaded.sentAt { // what the answer means depends on it
		return deletion.Wait{Reason: deletion.WaitChanged, Err: errChanged}, nil
	}
	if left := row.left(h.now); left > 0 {
		return deletion.Wait{Reason: deletion.WaitInFlight, For: left, Err: errInFlight}, nil
	}
	s.before, s.after, s.attempts, s.countedAt = row.sendState, row.sendState, row.attempts+1, row.countedAt
	if s.Counts {
		free, err := h.take(ctx, tx, row.countedAt)
		if err != nil {
			return nil, err
		}
		if !free {
			return deletion.Hold{Reason: deletion.HoldMassDeletion, Err: errMass}, nil
		}
		s.countedAt = Micros(h.now)
	}
	if !s.dryRun {
		s.after = s.before.sending(s.Sending, h.now)
	}
	return nil, nil //nolint:nilnil // it may be sent
}

// sendColumns are what writeSends hands to the statement.
const sendColumns = 10

func (q *Queue) writeSends(ctx context.Context, tx *sql.Tx, sends []*send) error {
	for some := range powers(sends) {
		values := make([]any, 0, len(some)*sendColumns)
		for _, s := range some {
			values = append(values, s.id, s.attempts, s.after.sentAt, s.after.inFlight, string(s.after.saw), s.after.anonymized, s.countedAt,
				s.Customer.ID, s.Customer.Type, Micros(s.Customer.CreatedAt))
		}
		_, err := tx.ExecContext(ctx, `WITH v (deletion_id, attempts, sent_at, in_flight, sent_saw, sent_anonymized, counted_at, customer_id, customer_type, customer_created_at)
			AS (VALUES `+typed(len(some), "bigint", "bigint", "bigint", "boolean", "text", "boolean", "bigint", "text", "text", "bigint")+`)
			UPDATE polar_bridge_deletions AS d SET attempts = v.attempts, sent_at = v.sent_at, in_flight = v.in_flight, sent_saw = v.sent_saw,
				sent_anonymized = v.sent_anonymized, counted_at = v.counted_at,
				customer_id = CASE WHEN v.customer_id = '' THEN d.customer_id ELSE v.customer_id END,
				customer_type = CASE WHEN v.customer_id = '' THEN d.customer_type ELSE v.customer_type END,
				customer_created_at = CASE WHEN v.customer_id = '' THEN d.customer_created_at ELSE v.customer_created_at END
			FROM v WHERE d.id = v.deletion_id`, values...)
		if err != nil {
			return err
		}
	}
	return nil
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
