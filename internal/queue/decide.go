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

// decided is what an attempt came to, on its way onto the row.
type decided struct {
	id, generation int64
	decision       deletion.Decision
	seen           deletion.Observed
	now            time.Time
	// send is the request that was begun, nil when none was.
	send *send
	// wait is until the next try, of Retry and Wait.
	wait time.Duration
	// verifyAt is when Polar is asked whether the customer stayed away; zero is never.
	verifyAt time.Time

	// abandoned says that a request stood on the row as if its answer was still
	// waited for; deadBefore is when one was sent whose process must be dead.
	abandoned  bool
	deadBefore int64

	// tried is whether it was written before, in a transaction that may have failed.
	tried bool
	// written is whether the row took it: it does not when somebody else has
	// decided about it meanwhile.
	written bool
}

// setAttempt is what each decision writes about the attempt behind it. $6 is when
// the attempt itself has begun a request: what stands on the row about another
// run's request is left alone.
const setAttempt = `result = $3, polar_status = $4, polar_error = $5,
	decided_at = $7,
	in_flight = CASE WHEN sent_at = $6 THEN FALSE ELSE in_flight END,
	sent_at = CASE WHEN $6 > 0 AND sent_at = $6 THEN $8 ELSE sent_at END,
	sent_anonymized = CASE WHEN $6 > 0 AND sent_at = $6 THEN $9 ELSE sent_anonymized END,
	sent_saw = CASE WHEN $6 > 0 AND sent_at = $6 THEN $13 ELSE sent_saw END,
	customer_id = CASE WHEN $10 = '' THEN customer_id ELSE $10 END, customer_type = CASE WHEN $10 = '' THEN customer_type ELSE $11 END,
	customer_created_at = CASE WHEN $10 = '' THEN customer_created_at ELSE $12 END`

// whereWaiting keeps a decision from a row that somebody else has decided about,
// or whose request another run waits for: one that was sent before $14 is not
// waited for any more.
const whereWaiting = ` WHERE id = $1 AND generation = $2 AND state = 'waiting' AND (sent_at = $6 OR NOT in_flight OR sent_at <= $14)`

// values are the parameters of setAttempt.
func (d *decided) values() []any {
	var mine int64
	var sent sendState
	if d.send != nil && !d.send.dryRun {
		mine, sent = d.send.after.sentAt, d.send.before
		if d.seen.Sent {
			sent = d.send.after
		}
	}
	return []any{
		d.id, d.generation, d.result(), d.seen.PolarStatus, d.seen.PolarError, mine, Micros(d.now), sent.sentAt, sent.anonymized,
		d.seen.Customer.ID, d.seen.Customer.Type, Micros(d.seen.Customer.CreatedAt), string(sent.saw),
		d.deadBefore,
	}
}

// writeDecisions writes them onto their rows.
func (q *Queue) writeDecisions(ctx context.Context, tx *sql.Tx, all []*decided) error {
	slices.SortFunc(all, func(a, b *decided) int { return int(a.id - b.id) }) // as operators' commands lock them
	for _, d := range all {
		if err := q.writeOnce(ctx, tx, d); err != nil {
			return fmt.Errorf("write a decision: %w", err)
		}
	}
	return nil
}

// writeOnce writes a decision, unless a commit whose answer was lost has done so.
func (q *Queue) writeOnce(ctx context.Context, tx *sql.Tx, d *decided) error {
	if d.tried {
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM polar_bridge_deletions WHERE id = $1 AND generation = $2 AND decided_at = $3 AND result = $4)",
			d.id, d.generation, Micros(d.now), d.result()).Scan(&d.written)
		if err != nil || d.written {
			return err
		}
	}
	d.tried = true
	if d.abandoned {
		now, err := q.options.Limiter.Clock(ctx, tx)
		if err != nil {
			return err
		}
		d.deadBefore = Micros(now.Add(-InFlight))
	}
	result, err := q.writeDecision(ctx, tx, d)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	d.written = changed > 0
	return err
}

// result is the decision in a word.
func (d *decided) result() string {
	switch decision := d.decision.(type) {
	case deletion.Done:
		return string(decision.Outcome)
	case deletion.Hold:
		return string(decision.Reason)
	case deletion.Wait:
		return string(decision.Reason)
	case deletion.Retry:
		return string(decision.Reason)
	}
	return ""
}

func (q *Queue) writeDecision(ctx context.Context, tx *sql.Tx, d *decided) (sql.Result, error) {
	switch decision := d.decision.(type) {
	case deletion.Done:
		return q.writeDone(ctx, tx, d, decision)
	case deletion.Hold:
		return tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET state = 'held', hold_reason = $15, held_at = $7, job_id = 0, next_try_at = 0, "+setAttempt+whereWaiting,
			append(d.values(), string(decision.Reason))...)
	case deletion.Retry:
		return tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET failures = failures + 1, failing_for = failing_for + $15, next_try_at = $16, "+setAttempt+whereWaiting,
			append(d.values(), d.failing().Microseconds(), Micros(d.now.Add(d.wait)))...)
	case deletion.Wait: // a request was sent, and it costs no attempt
		return tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET attempts = attempts - 1, next_try_at = $15, "+setAttempt+whereWaiting,
			append(d.values(), Micros(d.now.Add(d.wait)))...)
	}
	return nil, errors.New("a decision of no known type")
}

// failing is how much longer the deletion has failed by the next try. Trouble of
// our own database does not count.
func (d *decided) failing() time.Duration {
	if retry, ok := d.decision.(deletion.Retry); ok && retry.Reason == deletion.RetryDatabase {
		return 0
	}
	return d.wait
}

// writeDone ends the deletion. That Polar itself has deleted somebody is true
// whatever another run of the same job has found meanwhile.
func (q *Queue) writeDone(ctx context.Context, tx *sql.Tx, d *decided, done deletion.Done) (sql.Result, error) {
	var verifyJob int64
	verification := ""
	if !d.verifyAt.IsZero() {
		ids, err := q.store.Enqueue(ctx, tx, []Job{{DeletionID: d.id, Generation: d.generation, At: d.verifyAt, Verify: true}})
		if err != nil {
			return nil, err
		}
		verifyJob, verification = ids[0], string(event.VerificationPending)
	}
	where := whereWaiting
	if done.Outcome == event.OutcomeDeleted {
		where = " WHERE CAST($14 AS bigint) >= 0 AND id = $1 AND generation = $2 AND (state IN ('waiting', 'held', 'cancelled') OR state = 'done' AND outcome = 'not_found')"
	}
	subscriptions, benefits := -1, -1
	if done.Loss != nil {
		subscriptions, benefits = done.Loss.ActiveSubscriptions, done.Loss.GrantedBenefits
	}
	return tx.ExecContext(ctx, `UPDATE polar_bridge_deletions SET state = 'done', hold_reason = '', outcome = $3, confirmed_by = $15, anonymized = $16, finished_at = $7,
		active_subscriptions = $17, granted_benefits = $18, job_id = $19, verify_at = $20, verification = $21, failures = 0, failing_for = 0, next_try_at = 0, `+setAttempt+where,
		append(d.values(), string(done.ConfirmedBy), done.Anonymized, subscriptions, benefits, verifyJob, Micros(d.verifyAt), verification)...)
}
