package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
)

const (
	// decisionAgain is the pause before a decision is written again.
	decisionAgain = 200 * time.Millisecond
	// rowAgain is when a job is tried again whose row could not be read, or must not be.
	rowAgain = 2 * time.Second
	// otherBindingAgain is when a job is tried again while the database belongs to
	// another Polar organization.
	otherBindingAgain = 30 * time.Second
)

// worker works one kind of job.
type worker[T interface {
	river.JobArgs
	deleteArgs | dryRunArgs | verifyArgs
}] struct {
	river.WorkerDefaults[T]

	queue *Queue
	work  func(r *run, ctx context.Context) error
}

// Work implements river.Worker.
func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	w.queue.ingest.yield(ctx)
	args := jobArgs(job.Args)
	r := &run{Options: &w.queue.options, queue: w.queue, jobID: job.ID, start: w.queue.options.Now()}
	found, err := r.load(ctx, args)
	switch {
	case errors.Is(err, errPaused):
		return river.JobSnooze(rowAgain)
	case err != nil:
		r.Logger.Error("a deletion could not be read", zap.Int64("deletion_id", args.DeletionID), zap.Error(err))
		return river.JobSnooze(rowAgain)
	case !found:
		r.Metrics.OrphanFound(metrics.OrphanJob)
		r.Logger.Error("a job has no deletion: nothing is done", zap.Int64("deletion_id", args.DeletionID), zap.Int64("job_id", job.ID))
		return nil
	case r.record.Generation != args.Generation:
		return nil // it was sent on its way again: another job has it
	case r.record.Binding != r.Binding.ID() || !r.Binding.Open():
		return river.JobSnooze(otherBindingAgain)
	}
	return w.work(r, ctx)
}

// run is one attempt at one job.
type run struct {
	*Options

	queue  *Queue
	jobID  int64
	start  time.Time
	record Record
	send   *send // set once a request is about to be sent
}

// load reads the row. Its approvals stand in a table of their own.
func (r *run) load(ctx context.Context, args jobArgs) (found bool, err error) {
	record, err := r.queue.load(ctx, args.DeletionID)
	if err != nil || record == nil {
		return false, err
	}
	r.record = *record
	// What was never held has been approved by nobody, unless somebody asked for it so.
	if r.record.HeldAt.IsZero() && r.record.Source != deletion.SourceOperator {
		return true, nil
	}
	approvals, err := r.queue.store.Approvals(ctx, r.Reader, args.DeletionID)
	r.record.Approved = approvals[args.DeletionID]
	return true, err
}

// delete makes one attempt at the deletion.
func (r *run) delete(ctx context.Context) error {
	if r.record.State != deletion.StateWaiting {
		return nil // somebody has decided about it
	}
	ctx, span := r.trace(ctx, "delete customer")
	defer span.End()
	seen, decision := r.apply(ctx)
	d := &decided{
		id: r.record.ID, generation: r.record.Generation, jobID: r.jobID, binding: r.record.Binding, decision: decision, seen: seen, now: r.Now(), send: r.send,
		abandoned: r.record.send.inFlight,
	}
	if r.send == nil { // else the lookup did not end the attempt
		d.lookupFailingFor = r.record.lookupFailingFor
	}
	switch decision := decision.(type) {
	case deletion.Done:
		if decision.Outcome == deletion.OutcomeDeleted && r.VerifyAfter > 0 {
			d.verifyAt = d.now.Add(r.VerifyAfter)
		}
	case deletion.Hold:
	case deletion.Wait:
		d.wait = decision.For
		if r.send == nil && decision.Reason != deletion.WaitGrace {
			return r.finish(d) // nothing was tried, and what all wait for is shown beside the rows
		}
	case deletion.Retry:
		d.wait = Backoff(int(r.record.Failures) + 1)
		if decision.Reason == deletion.RetryLookup { // before the request, or after it when searching
			d.lookupFailingFor = r.record.lookupFailingFor + d.wait
		}
		d.decision = r.exhausted(d, decision)
	}
	span.Set("result", d.result())
	if err := r.write(ctx, d); err != nil {
		return err
	}
	return r.finish(d)
}

// trace begins the span of an attempt. A deletion that came without a trace has one from
// here on.
func (r *run) trace(ctx context.Context, what string) (context.Context, *tracing.Span) {
	ctx, span := r.Tracer.Start(ctx, tracing.Consumer, what, string(r.record.traceparent), r.start)
	r.record.traceparent = cmp.Or(r.record.traceparent, deletion.Traceparent(span.Traceparent()))
	span.Set("provider", r.record.Provider)
	span.SetNumber("deletion_id", r.record.ID)
	return ctx, span
}

// exhausted holds what has failed for too long. Pauses do not count, nor does
// trouble of our own database.
func (r *run) exhausted(d *decided, retry deletion.Retry) deletion.Decision {
	switch {
	case retry.Reason == deletion.RetryDatabase,
		r.record.failingFor+d.wait < giveUpAfter && d.lookupFailingFor < lookupGiveUpAfter:
		return retry
	case retry.Reason == deletion.RetryForbidden:
		return deletion.Hold{Reason: deletion.HoldForbidden, Err: retry.Err}
	}
	return deletion.Hold{Reason: deletion.HoldExhausted, Err: retry.Err}
}

// apply makes the attempt. A panic is a failure like any other.
func (r *run) apply(ctx context.Context) (seen deletion.Observed, decision deletion.Decision) {
	defer func() {
		if v := recover(); v != nil {
			r.Logger.Error("attempt panicked", append(r.fields(r.record.Deletion()), zap.String("type", fmt.Sprintf("%T", v)), zap.Stack("stack"))...)
			seen, decision = deletion.Observed{Sent: true}, deletion.Retry{Reason: deletion.RetryPanic, Err: fmt.Errorf("panic of type %T", v)}
		}
	}()
	return r.Applier.Apply(ctx, r.attempt(), r)
}

func (r *run) attempt() deletion.Attempt {
	return deletion.Attempt{
		Deletion: r.record.Deletion(), ID: r.record.ID, Failures: r.record.Failures, DryRun: r.record.DryRun, Approved: r.record.Approved,
		AnswerLost: r.record.send.sentAt > 0, LostSaw: r.record.send.saw, LostAnonymized: r.record.send.anonymized, Seen: r.record.Customer(),
	}
}

// BeginSend implements deletion.Journal.
func (r *run) BeginSend(ctx context.Context, s deletion.Sending) deletion.Decision {
	w := newWrite(ctx)
	w.send = &send{Sending: s, id: r.record.ID, generation: r.record.Generation, dryRun: r.record.DryRun, loaded: r.record.send}
	if err := r.queue.commits.write(w); err != nil {
		return deletion.Retry{Reason: deletion.RetryDatabase, Err: fmt.Errorf("begin send: %w", err)}
	}
	if w.send.decision == nil {
		r.send, r.record.Attempts = w.send, w.send.attempts
	}
	return w.send.decision
}

// write writes the decision, again and again until it is known that it is on
// disk: what Polar did must not be forgotten. It ends with the committer only.
func (r *run) write(ctx context.Context, d *decided) error {
	ctx = context.WithoutCancel(ctx)
	for {
		w := newWrite(ctx)
		w.decision = d
		err := r.queue.commits.write(w)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errStopped):
			return fmt.Errorf("write a decision: %w", err)
		}
		r.Logger.Error("a decision could not be written: trying again", append(r.fields(r.record.Deletion()), zap.Int64("deletion_id", d.id), zap.Error(err))...)
		if err := Sleep(ctx, decisionAgain); err != nil {
			return err
		}
	}
}

// finish says what became of the attempt, and tells River whether the job is done.
func (r *run) finish(d *decided) error {
	switch decision := d.decision.(type) {
	case deletion.Done:
		r.done(d, decision)
		if d.written {
			return nil
		}
		return river.JobSnooze(rowAgain) // the row says what is to be done
	case deletion.Hold:
		if d.written {
			r.Metrics.DeletionHeld(r.record.Deletion().CountedAs(), decision.Reason)
			r.Logger.Error("deletion held", r.lineFields(d.seen, zap.String("reason", string(decision.Reason)), zap.NamedError("cause", decision.Err))...)
			return nil
		}
		return river.JobSnooze(rowAgain)
	case deletion.Wait:
		r.waits(d, decision)
	case deletion.Retry:
		r.Logger.Warn("deletion retried", r.lineFields(d.seen,
			zap.String("reason", string(decision.Reason)), zap.Int64("retry_in_ms", d.wait.Milliseconds()), zap.Error(decision.Err))...)
	}
	return river.JobSnooze(max(d.wait, 0))
}

func (r *run) done(d *decided, done deletion.Done) {
	if !d.written {
		r.Logger.Warn("a deletion ended that somebody has decided about meanwhile", r.lineFields(d.seen, zap.String("outcome", string(done.Outcome)))...)
		return
	}
	fields := []zap.Field{zap.String("outcome", string(done.Outcome)), zap.String("confirmed_by", string(done.ConfirmedBy))}
	if loss := d.seen.Loss; loss != nil {
		fields = append(fields, zap.Bool("customer_found", d.seen.Customer.ID != ""),
			zap.Int("active_subscriptions", loss.ActiveSubscriptions), zap.Int("granted_benefits", loss.GrantedBenefits))
	}
	if d.seen.Search != "" {
		fields = append(fields, zap.String("metadata_search", string(d.seen.Search)))
	}
	if d.seen.GuardsBlind {
		fields = append(fields, zap.Bool("guards_blind", true))
	}
	r.Metrics.DeletionFinished(r.record.Deletion().CountedAs(), done.Outcome, d.now.Sub(r.record.ReceivedAt))
	r.Logger.Info("deletion finished", r.lineFields(d.seen, fields...)...)
}

// waits logs that the attempt waits. That Polar itself asked for the pause is
// news; that a worker got no permit is not.
func (r *run) waits(d *decided, wait deletion.Wait) {
	fields := r.lineFields(d.seen, zap.String("reason", string(wait.Reason)), zap.Int64("retry_in_ms", wait.For.Milliseconds()), zap.Error(wait.Err))
	switch {
	case d.seen.PolarStatus == 0 || !wait.Everybody:
		r.Logger.Debug("deletion postponed", fields...)
	case wait.Reason == deletion.WaitRateLimited:
		r.Logger.Warn("deletion postponed", fields...)
	default:
		r.Logger.Error("deletion postponed", fields...) // only an operator can remove the cause
	}
}

func (r *run) lineFields(seen deletion.Observed, more ...zap.Field) []zap.Field {
	now := r.Now()
	fields := append(r.fields(r.record.Deletion()),
		zap.Int64("attempt", r.record.Attempts),
		zap.Int64("duration_ms", now.Sub(r.start).Milliseconds()),
		zap.Int64("delay_ms", now.Sub(r.record.ReceivedAt).Milliseconds()),
		zap.Int("polar_status", seen.PolarStatus),
		zap.Int64("deletion_id", r.record.ID))
	return append(fields, more...)
}
