package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
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
	if s.saw == deletion.SawCustomer || s.saw == deletion.SawFound && o.Saw != deletion.SawCustomer || s.saw == deletion.SawNothing && o.Saw == deletion.SawNobody {
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
	h := &hourCount{sql: &q.store.sql, limit: q.options.MaxDeletionsPerHour, now: locked.Now()}
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

// readSends reads and locks the rows by their ids, and returns those that are still waiting.
func (q *Queue) readSends(ctx context.Context, tx *sql.Tx, sends []*send) (map[int64]*sendRow, error) {
	ids := make([]int64, len(sends))
	for i, s := range sends {
		ids[i] = s.id
	}
	all, err := batch(ids)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]*sendRow, len(sends))
	err = namedsql.Each(ctx, tx, func(row *sql.Rows) error {
		var id int64
		var waiting bool
		r := &sendRow{}
		err := row.Scan(&id, &waiting, &r.generation, &r.sentAt, &r.inFlight, &r.saw, &r.anonymized, &r.countedAt, &r.attempts)
		if waiting {
			found[id] = r
		}
		return err
	}, q.store.sql.Sends, all)
	return found, err
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

// begunSend is what the statement BeginSends reads of one.
type begunSend struct {
	ID                int64        `json:"deletion_id"`
	Attempts          int64        `json:"attempts"`
	SentAt            int64        `json:"sent_at"`
	InFlight          bool         `json:"in_flight"`
	SentSaw           deletion.Saw `json:"sent_saw"`
	SentAnonymized    bool         `json:"sent_anonymized"`
	CountedAt         int64        `json:"counted_at"`
	CustomerID        string       `json:"customer_id"`
	CustomerType      string       `json:"customer_type"`
	CustomerCreatedAt int64        `json:"customer_created_at"`

	ActiveSubscriptions int `json:"active_subscriptions"`
	GrantedBenefits     int `json:"granted_benefits"`
}

func (q *Queue) writeSends(ctx context.Context, tx *sql.Tx, sends []*send) error {
	last := make(map[int64]*send, len(sends)) // a statement changes a row once
	for _, s := range sends {
		last[s.id] = s
	}
	var rows []begunSend
	for _, s := range last {
		subscriptions, benefits := counts(s.Loss)
		rows = append(rows, begunSend{
			ID: s.id, Attempts: s.attempts, SentAt: s.after.sentAt, InFlight: s.after.inFlight, SentSaw: s.after.saw, SentAnonymized: s.after.anonymized,
			CountedAt: s.countedAt, CustomerID: s.Customer.ID, CustomerType: s.Customer.Type, CustomerCreatedAt: Micros(s.Customer.CreatedAt),
			ActiveSubscriptions: subscriptions, GrantedBenefits: benefits,
		})
	}
	if len(rows) == 0 {
		return nil
	}
	all, err := batch(rows)
	if err == nil {
		_, err = tx.ExecContext(ctx, q.store.sql.BeginSends, all)
	}
	return err
}

// CountHour is how many deletions took a place within the last hour.
func (s *Store) CountHour(ctx context.Context, from Querier, now time.Time) (n int, err error) {
	if err = from.QueryRowContext(ctx, s.sql.CountHour, Micros(now.Add(-hour))).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the hour: %w", err)
	}
	return n, nil
}

// hourCount is how many deletions took a place within the last hour.
type hourCount struct {
	sql     *statements
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
		if _, err := tx.ExecContext(ctx, h.sql.CountFromNow, Micros(h.now)); err != nil {
			return false, fmt.Errorf("count the hour: %w", err)
		}
		err := tx.QueryRowContext(ctx, h.sql.CountHour, since).Scan(&h.count)
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
