package queue

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// decided is what an attempt came to, on its way onto the row.
type decided struct {
	id, generation int64
	jobID, binding int64
	decision       deletion.Decision
	seen           deletion.Observed
	now            time.Time
	// send is the request that was begun, nil when none was.
	send *send
	// wait is until the next try, of Retry and Wait.
	wait time.Duration
	// lookupFailingFor is for how long the lookup has failed by then although Polar works.
	lookupFailingFor time.Duration
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

// decisionRow is what the statement WriteDecisions reads of one.
type decisionRow struct {
	ID          int64  `json:"deletion_id"`
	Generation  int64  `json:"generation"`
	Result      string `json:"result"`
	PolarStatus int    `json:"polar_status"`
	PolarError  string `json:"polar_error"`
	DecidedAt   int64  `json:"decided_at"`
	// SentBy is when the attempt has begun a request, 0 if it has not; then what is
	// to stand on the row about requests now.
	SentBy            int64        `json:"sent_by"`
	SentAt            int64        `json:"sent_at"`
	SentSaw           deletion.Saw `json:"sent_saw"`
	SentAnonymized    bool         `json:"sent_anonymized"`
	DeadBefore        int64        `json:"dead_before"`
	CustomerID        string       `json:"customer_id"`
	CustomerType      string       `json:"customer_type"`
	CustomerCreatedAt int64        `json:"customer_created_at"`
	VerifyJob         int64        `json:"verify_job"`

	MetadataSearch    deletion.Search `json:"metadata_search"`
	MetadataCustomers string          `json:"metadata_customers"`

	State               deletion.State        `json:"state"`
	HoldReason          deletion.HoldReason   `json:"hold_reason"`
	Outcome             deletion.Outcome      `json:"outcome"`
	ConfirmedBy         deletion.Confirmation `json:"confirmed_by"`
	Anonymized          bool                  `json:"anonymized"`
	ActiveSubscriptions int                   `json:"active_subscriptions"`
	GrantedBenefits     int                   `json:"granted_benefits"`
	AddsAttempts        int64                 `json:"adds_attempts"`
	AddsFailures        int64                 `json:"adds_failures"`
	AddsFailingFor      int64                 `json:"adds_failing_for"`
	LookupFailingFor    int64                 `json:"lookup_failing_for"`
	NextTryAt           int64                 `json:"next_try_at"`
	VerifyAt            int64                 `json:"verify_at"`
	Verification        deletion.Verification `json:"verification"`
}

func (d *decided) row() decisionRow {
	sentBy, sent := d.sent()
	row := decisionRow{
		ID: d.id, Generation: d.generation, Result: d.result(), PolarStatus: d.seen.PolarStatus, PolarError: d.seen.PolarError, DecidedAt: Micros(d.now),
		SentBy: sentBy, SentAt: sent.sentAt, SentSaw: sent.saw, SentAnonymized: sent.anonymized, DeadBefore: d.deadBefore,
		CustomerID: d.seen.Customer.ID, CustomerType: d.seen.Customer.Type, CustomerCreatedAt: Micros(d.seen.Customer.CreatedAt),
		MetadataSearch: d.seen.Search, MetadataCustomers: strings.Join(d.seen.Candidates, " "),
		VerifyJob: d.verifyJob, State: deletion.StateWaiting, LookupFailingFor: d.lookupFailingFor.Microseconds(),
	}
	row.ActiveSubscriptions, row.GrantedBenefits = counts(d.seen.Loss)
	switch decision := d.decision.(type) {
	case deletion.Done:
		row.State, row.Outcome, row.ConfirmedBy, row.Anonymized = deletion.StateDone, decision.Outcome, decision.ConfirmedBy, decision.Anonymized
		row.VerifyAt = Micros(d.verifyAt)
		if d.verifyJob > 0 {
			row.Verification = deletion.VerificationPending
		}
	case deletion.Hold:
		row.State, row.HoldReason = deletion.StateHeld, decision.Reason
	case deletion.Retry:
		row.AddsFailures, row.AddsFailingFor, row.NextTryAt = 1, d.failing().Microseconds(), Micros(d.now.Add(d.wait))
	case deletion.Wait:
		row.NextTryAt = Micros(d.now.Add(d.wait))
		if d.send != nil { // the request costs no attempt
			row.AddsAttempts = -1
		}
	}
	return row
}

// counts are a loss as it stands on a row.
func counts(loss *deletion.Loss) (subscriptions, benefits int) {
	if loss == nil {
		return -1, -1
	}
	return loss.ActiveSubscriptions, loss.GrantedBenefits
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
		var rows []decisionRow
		byID := make(map[int64]*decided, len(fresh))
		for _, d := range fresh {
			if byID[d.id] != nil {
				repeated = append(repeated, d)
				continue
			}
			byID[d.id] = d
			rows = append(rows, d.row())
		}
		all, err := batch(rows)
		if err != nil {
			return err
		}
		written, err := IDs(ctx, tx, q.store.sql.WriteDecisions, all)
		if err != nil {
			return fmt.Errorf("write decisions: %w", err)
		}
		for _, id := range written {
			byID[id].written = true
		}
		fresh = repeated
	}
	var ended []int64
	for _, d := range all {
		if d.written && d.final() {
			ended = append(ended, d.jobID)
		}
	}
	return q.endJobs(ctx, tx.ExecContext, ended)
}

// endJobs removes jobs that are done. Nobody reads them, and River would complete each
// for itself and clean it up later.
func (q *Queue) endJobs(ctx context.Context, exec func(ctx context.Context, statement string, args ...any) (sql.Result, error), ids []int64) error {
	jobs, err := batch(ids)
	if err == nil && len(ids) > 0 {
		_, err = exec(ctx, q.store.sql.EndJobs, jobs)
	}
	if err != nil {
		return fmt.Errorf("end jobs: %w", err)
	}
	return nil
}

// final reports whether the attempt was the last, unless somebody sends the deletion on
// its way again.
func (d *decided) final() bool {
	switch d.decision.(type) {
	case deletion.Done, deletion.Hold:
		return true
	}
	return false
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
			jobs = append(jobs, Job{DeletionID: d.id, Generation: d.generation, At: d.verifyAt, Verify: true, Binding: d.binding})
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
		err := tx.QueryRowContext(ctx, q.store.sql.WasDecided, d.id, d.generation, Micros(d.now), d.result()).Scan(&d.written)
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
