package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
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
	verifyAt  time.Time
	verifyJob int64

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

// decideStatement writes decisions onto their rows. sent_by is when the attempt
// itself has begun a request: what stands on the row about another run's is left
// alone.
const decideStatement = `WITH v (deletion_id, generation, state, result, polar_status, polar_error, decided_at,
		sent_by, sent_at, sent_saw, sent_anonymized, dead_before, customer_id, customer_type, customer_created_at,
		adds_attempts, adds_failures, adds_failing_for, next_try_at, hold_reason, outcome, confirmed_by, anonymized,
		active_subscriptions, granted_benefits, verify_job, verify_at, verification)
	AS (VALUES %s)
	UPDATE polar_bridge_deletions AS d SET state = v.state, result = v.result, polar_status = v.polar_status, polar_error = v.polar_error, decided_at = v.decided_at,
		in_flight = CASE WHEN d.sent_at = v.sent_by THEN FALSE ELSE d.in_flight END,
		sent_at = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_at ELSE d.sent_at END,
		sent_saw = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_saw ELSE d.sent_saw END,
		sent_anonymized = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_anonymized ELSE d.sent_anonymized END,
		customer_id = CASE WHEN v.customer_id = '' THEN d.customer_id ELSE v.customer_id END,
		customer_type = CASE WHEN v.customer_id = '' THEN d.customer_type ELSE v.customer_type END,
		customer_created_at = CASE WHEN v.customer_id = '' THEN d.customer_created_at ELSE v.customer_created_at END,
		attempts = d.attempts + v.adds_attempts,
		failures = CASE WHEN v.state = 'done' THEN 0 ELSE d.failures + v.adds_failures END,
		failing_for = CASE WHEN v.state = 'done' THEN 0 ELSE d.failing_for + v.adds_failing_for END,
		next_try_at = v.next_try_at, hold_reason = v.hold_reason,
		held_at = CASE WHEN v.state = 'held' THEN v.decided_at ELSE d.held_at END,
		finished_at = CASE WHEN v.state = 'done' THEN v.decided_at ELSE 0 END,
		outcome = v.outcome, confirmed_by = v.confirmed_by, anonymized = v.anonymized,
		active_subscriptions = v.active_subscriptions, granted_benefits = v.granted_benefits,
		job_id = CASE WHEN v.state = 'waiting' THEN d.job_id ELSE v.verify_job END, verify_at = v.verify_at, verification = v.verification
	FROM v WHERE d.id = v.deletion_id AND d.generation = v.generation AND (
		d.state = 'waiting' AND (d.sent_at = v.sent_by OR NOT d.in_flight OR d.sent_at <= v.dead_before)
		OR v.outcome = 'deleted' AND (d.state IN ('waiting', 'held', 'cancelled') OR d.state = 'done' AND d.outcome = 'not_found'))
	RETURNING id`

// values are one row of the statement.
func (d *decided) values() []any {
	sentBy, sent := d.sent()
	row := decisionRow{state: deletion.StateWaiting, subscriptions: -1, benefits: -1}
	switch decision := d.decision.(type) {
	case deletion.Done:
		row.done(decision)
		row.verifyAt = Micros(d.verifyAt)
		if d.verifyJob > 0 {
			row.verification = deletion.VerificationPending
		}
	case deletion.Hold:
		row.state, row.holdReason = deletion.StateHeld, decision.Reason
	case deletion.Retry:
		row.addsFailures, row.addsFailingFor, row.nextTryAt = 1, d.failing().Microseconds(), Micros(d.now.Add(d.wait))
	case deletion.Wait: // a request was sent, and it costs no attempt
		row.addsAttempts, row.nextTryAt = -1, Micros(d.now.Add(d.wait))
	}
	return []any{
		d.id, d.generation, string(row.state), d.result(), d.seen.PolarStatus, d.seen.PolarError, Micros(d.now),
		sentBy, sent.sentAt, string(sent.saw), sent.anonymized, d.deadBefore, d.seen.Customer.ID, d.seen.Customer.Type, Micros(d.seen.Customer.CreatedAt),
		row.addsAttempts, row.addsFailures, row.addsFailingFor, row.nextTryAt, string(row.holdReason), string(row.outcome), string(row.confirmedBy), row.anonymized,
		row.subscriptions, row.benefits, d.verifyJob, row.verifyAt, string(row.verification),
	}
}

// decisionRow is what differs between decisions.
type decisionRow struct {
	state                               deletion.State
	holdReason                          deletion.HoldReason
	outcome                             deletion.Outcome
	confirmedBy                         deletion.Confirmation
	verification                        deletion.Verification
	anonymized                          bool
	subscriptions, benefits             int
	addsAttempts, addsFailures          int64
	addsFailingFor, nextTryAt, verifyAt int64
}

func (r *decisionRow) done(done deletion.Done) {
	r.state, r.outcome, r.confirmedBy, r.anonymized = deletion.StateDone, done.Outcome, done.ConfirmedBy, done.Anonymized
	if done.Loss != nil {
		r.subscriptions, r.benefits = done.Loss.ActiveSubscriptions, done.Loss.GrantedBenefits
	}
}

// sent is when the attempt has begun a request, 0 if it has not, and what is to
// stand on the row about requests now.
func (d *decided) sent() (by int64, state sendState) {
	if d.send == nil || d.send.dryRun {
		return 0, sendState{}
	}
	if d.seen.Sent {
		return d.send.after.sentAt, d.send.after
	}
	return d.send.after.sentAt, d.send.before
}

// writeDecisions writes them onto their rows. That Polar itself has deleted
// somebody is true whatever else has become of the row meanwhile; any other
// decision leaves a row alone that somebody else has decided about, or whose
// request another run waits for.
func (q *Queue) writeDecisions(ctx context.Context, tx *sql.Tx, all []*decided) error {
	fresh, err := q.prepareDecisions(ctx, tx, all)
	if err != nil {
		return fmt.Errorf("write decisions: %w", err)
	}
	for len(fresh) > 0 {
		var repeated []*decided // of the same row: a statement changes a row once
		one := make(map[int64]*decided, len(fresh))
		for _, d := range fresh {
			if one[d.id] != nil {
				repeated = append(repeated, d)
				continue
			}
			one[d.id] = d
		}
		for some := range powers(slices.SortedFunc(maps.Values(one), func(a, b *decided) int { return cmp.Compare(a.id, b.id) })) {
			if err := q.writeSome(ctx, tx, some, one); err != nil {
				return fmt.Errorf("write decisions: %w", err)
			}
		}
		fresh = repeated
	}
	return nil
}

// prepareDecisions leaves out what a commit whose answer was lost has written, and
// stores the jobs that look afterwards.
func (q *Queue) prepareDecisions(ctx context.Context, tx *sql.Tx, all []*decided) (fresh []*decided, err error) {
	var jobs []Job
	var verified []*decided
	for _, d := range all {
		if err := q.checkDecision(ctx, tx, d); err != nil {
			return nil, err
		}
		if d.written {
			continue
		}
		d.tried = true
		fresh = append(fresh, d)
		if !d.verifyAt.IsZero() {
			verified = append(verified, d)
			jobs = append(jobs, Job{DeletionID: d.id, Generation: d.generation, At: d.verifyAt, Verify: true})
		}
	}
	ids, err := q.store.Enqueue(ctx, tx, jobs)
	for i, id := range ids {
		verified[i].verifyJob = id
	}
	return fresh, err
}

// checkDecision looks whether it was written before, and since when a request that
// stands on the row is not waited for any more. Both are rare.
func (q *Queue) checkDecision(ctx context.Context, tx *sql.Tx, d *decided) error {
	d.written = false
	if d.tried {
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM polar_bridge_deletions WHERE id = $1 AND generation = $2 AND decided_at = $3 AND result = $4)",
			d.id, d.generation, Micros(d.now), d.result()).Scan(&d.written)
		if err != nil {
			return err
		}
	}
	if d.abandoned {
		now, err := q.options.Limiter.Clock(ctx, tx)
		if err != nil {
			return err
		}
		d.deadBefore = Micros(now.Add(-InFlight))
	}
	return nil
}

func (q *Queue) writeSome(ctx context.Context, tx *sql.Tx, some []*decided, byID map[int64]*decided) (err error) {
	var values []any
	for _, d := range some {
		values = append(values, d.values()...)
	}
	rows, err := tx.QueryContext(ctx, fmt.Sprintf(decideStatement, typed(len(some), decisionTypes()...)), values...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		byID[id].written = true
	}
	return rows.Err()
}

// decisionTypes are those of the statement's columns.
func decisionTypes() []string {
	return []string{
		"bigint", "bigint", "text", "text", "bigint", "text", "bigint",
		"bigint", "bigint", "text", "boolean", "bigint", "text", "text", "bigint",
		"bigint", "bigint", "bigint", "bigint", "text", "text", "text", "boolean",
		"bigint", "bigint", "bigint", "bigint", "text",
	}
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

// failing is how much longer the deletion has failed by the next try. Trouble of
// our own database does not count.
func (d *decided) failing() time.Duration {
	if retry, ok := d.decision.(deletion.Retry); ok && retry.Reason == deletion.RetryDatabase {
		return 0
	}
	return d.wait
}
