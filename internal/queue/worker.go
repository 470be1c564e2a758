package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// worker runs one kind of job. P is a pointer to T: the attempt leaves on the
// arguments when it wants to be tried again.
type worker[T river.JobArgs, P interface {
	*T
	arguments() *args
}] struct {
	river.WorkerDefaults[T]

	queue  *Queue
	dryRun bool
	verify bool
}

// Work implements river.Worker.
func (w *worker[T, P]) Work(ctx context.Context, job *river.Job[T]) error {
	w.queue.crowd.letPass(ctx)
	stored := P(&job.Args).arguments()
	lost, anonymized := answerLost(job.JobRow)
	r := run{
		Options: &w.queue.options, queue: w.queue, job: job.JobRow, args: stored, start: w.queue.options.Now(),
		attempt: event.Attempt{
			Deletion: stored.deletion(), ID: job.ID, Number: job.Attempt,
			AnswerLost: lost, LostAnonymized: anonymized, DryRun: w.dryRun,
			Approved: approvals(job.JobRow), Seen: seen(job.JobRow),
		},
	}
	if w.verify {
		r.attempt.Seen = event.Customer{ID: stored.CustomerID}
		return r.verify(ctx)
	}
	return r.work(ctx)
}

// NextRetry implements river.Worker. A job that is rescued from a dead replica
// has no wish of its own and runs at once.
func (w *worker[T, P]) NextRetry(job *river.Job[T]) time.Time {
	if at := P(&job.Args).arguments().retryAt; !at.IsZero() {
		return at
	}
	return w.queue.options.Now().Add(rescueDelay)
}

// rescueDelay keeps a rescued job just in the future: River distrusts the past.
const rescueDelay = time.Second

// rescuePolicy serves jobs whose arguments cannot be read. They are tried
// again for as long as it takes somebody to look.
type rescuePolicy struct{ now func() time.Time }

// NextRetry implements river.ClientRetryPolicy.
func (p rescuePolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.now().Add(Backoff(job.Attempt))
}

// run is one attempt at one job.
type run struct {
	*Options

	queue   *Queue
	job     *rivertype.JobRow
	args    *args
	start   time.Time
	attempt event.Attempt
}

func (r *run) work(ctx context.Context) error {
	if r.args.Version > argsVersion {
		// What it means is not known here. A newer replica may come for it; if
		// none does, it ends in front of a human as any other failure.
		return r.retry(ctx, event.Result{}, r.newerVersion())
	}
	// River's console may have sent on its way what nobody has decided about.
	if reason := heldFromTheStart(r.attempt.Deletion, r.args.Variant); reason != "" && (!Approvable(reason) || !r.attempt.Approves(reason)) {
		return r.hold(ctx, event.Result{}, reason)
	}
	result, err := r.apply(ctx)
	if result.AnswerLost {
		if err := noteLostAnswer(ctx, result); err != nil {
			return err
		}
	}
	if err := noteCustomer(ctx, result.Customer); err != nil {
		return err
	}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		// The program stops, or an operator cancels. River looks for
		// context.Canceled and takes the job back without counting the attempt.
		return errors.Join(err, ctx.Err())
	}
	return r.verdict(ctx, result, err)
}

func (r *run) newerVersion() error {
	return fault.New(fault.Unavailable, reasonNewerArgs,
		"the deletion was stored in version %d, this program knows %d: start the newer polar-bridge", r.args.Version, argsVersion)
}

// noteLostAnswer notes that a repeat may find what this attempt has done.
func noteLostAnswer(ctx context.Context, result event.Result) error {
	return note(ctx, map[string]any{keyAnswerLost: true, keyAnonymized: result.Anonymized})
}

// apply makes the attempt. A panic is a failure like any other: River would
// count attempts without ever asking how old the deletion is, and would write
// down what the panic says.
func (r *run) apply(ctx context.Context) (result event.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = event.Result{AnswerLost: true}, r.panicked(v)
		}
	}()
	return r.Applier.Apply(ctx, r.attempt)
}

func (r *run) panicked(v any) error {
	r.Logger.Error("attempt panicked", append(r.fields(r.attempt.Deletion), zap.String("type", fmt.Sprintf("%T", v)), zap.Stack("stack"))...)
	return fault.New(fault.Internal, fault.ReasonPanic, "panic of type %T", v)
}

// verdict turns a fault into River's verdict. It is the only place that does.
func (r *run) verdict(ctx context.Context, result event.Result, err error) error {
	switch fault.KindOf(err) {
	case "":
		return r.finish(ctx, result)
	case fault.Paused:
		return r.postpone(result, err)
	case fault.Held:
		return r.hold(ctx, result, event.HoldReason(fault.ReasonOf(err)))
	case fault.Unavailable, fault.Internal,
		fault.Malformed, fault.Unauthenticated, fault.NotFound, fault.MethodNotAllowed, fault.TooLarge, fault.Unsupported:
		return r.retry(ctx, result, err)
	}
	return r.retry(ctx, result, err)
}

// output is what a finished job says for ever. Names are stored.
type output struct {
	Outcome     event.Outcome      `json:"outcome"`
	ConfirmedBy event.Confirmation `json:"confirmed_by,omitempty"`
	PolarStatus int                `json:"polar_status,omitempty"`
	Anonymized  bool               `json:"anonymized"`
	FinishedAt  time.Time          `json:"finished_at"`
	// CustomerID is Polar's own id of whom was deleted.
	CustomerID string `json:"customer_id,omitempty"`
	// What a dry run found that a deletion would end.
	ActiveSubscriptions *int `json:"active_subscriptions,omitempty"`
	GrantedBenefits     *int `json:"granted_benefits,omitempty"`
}

func (r *run) finish(ctx context.Context, result event.Result) error {
	now := r.Now()
	finished := output{
		Outcome: result.Outcome, ConfirmedBy: result.ConfirmedBy, PolarStatus: result.PolarStatus,
		Anonymized: result.Anonymized, FinishedAt: now.UTC(),
	}
	fields := []zap.Field{zap.String("outcome", string(result.Outcome)), zap.String("confirmed_by", string(result.ConfirmedBy))}
	if result.Outcome == event.OutcomeDeleted {
		finished.CustomerID = result.Customer.ID
		if err := r.verifyLater(ctx, result.Customer.ID); err != nil {
			// The repeat finds nobody; it must not take that for "never there".
			return errors.Join(noteLostAnswer(ctx, result), r.retry(ctx, result, err))
		}
	}
	if loss := result.Loss; loss != nil {
		finished.ActiveSubscriptions, finished.GrantedBenefits = &loss.ActiveSubscriptions, &loss.GrantedBenefits
		fields = append(fields, zap.Bool("customer_found", result.Customer.ID != ""),
			zap.Int("active_subscriptions", loss.ActiveSubscriptions), zap.Int("granted_benefits", loss.GrantedBenefits))
	}
	if result.GuardsBlind {
		fields = append(fields, zap.Bool("guards_blind", true))
	}
	if err := river.RecordOutput(ctx, finished); err != nil {
		return fmt.Errorf("record outcome: %w", err)
	}
	r.Metrics.DeletionFinished(r.attempt.Provider, string(result.Outcome), now.Sub(r.job.CreatedAt))
	r.Logger.Info("deletion finished", r.lineFields(result, fields...)...)
	return nil
}

// hold puts the deletion in front of a human.
func (r *run) hold(ctx context.Context, result event.Result, reason event.HoldReason) error {
	err := note(ctx, map[string]any{
		keyHoldReason: reason, keyHeldAt: r.Now().UTC().Format(time.RFC3339), keyPolarStatus: result.PolarStatus,
	})
	if err != nil {
		return err
	}
	r.Metrics.DeletionHeld(r.attempt.Provider, string(reason))
	r.Logger.Error("deletion held", r.lineFields(result, zap.String("reason", string(reason)))...)
	return river.JobSnooze(heldFor)
}

// postpone waits without counting the attempt. That Polar itself asked for the
// pause is news; that a worker found no slot is not.
func (r *run) postpone(result event.Result, err error) error {
	wait := fault.RetryAfterOf(err)
	fields := r.lineFields(result,
		zap.String("reason", fault.ReasonOf(err)), zap.Int64("retry_in_ms", wait.Milliseconds()), zap.Error(err))
	switch {
	case result.PolarStatus == 0:
		r.Logger.Debug(r.subject()+" postponed", fields...)
	case fault.ReasonOf(err) == fault.PauseRateLimited:
		r.Logger.Warn(r.subject()+" postponed", fields...)
	default:
		r.Logger.Error(r.subject()+" postponed", fields...) // only an operator can mend it
	}
	return river.JobSnooze(wait)
}

// retry tries again later, until the deletion is too old to go on unseen. Our
// own database's trouble is not held against it.
func (r *run) retry(ctx context.Context, result event.Result, err error) error {
	now, reason := r.Now(), cmp.Or(fault.ReasonOf(err), fault.ReasonUnclassified)
	if now.Sub(r.triedSince()) >= giveUpAfter && reason != fault.ReasonDatabase {
		return r.giveUp(ctx, result, reason)
	}
	wait := Backoff(r.job.Attempt)
	r.args.retryAt = now.Add(wait)
	r.Logger.Warn(r.subject()+" retried", r.lineFields(result,
		zap.String("reason", reason), zap.Int64("retry_in_ms", wait.Milliseconds()), zap.Error(err))...)
	return err
}

// giveUp ends the tries, the last of which failed for the reason: a deletion ends
// in front of a human, a verification without a result.
func (r *run) giveUp(ctx context.Context, result event.Result, reason string) error {
	if r.isVerification() {
		return r.finishVerification(ctx, event.Verified{Verification: event.VerificationError, PolarStatus: result.PolarStatus})
	}
	if reason == string(event.HoldForbidden) {
		return r.hold(ctx, result, event.HoldForbidden)
	}
	return r.hold(ctx, result, event.HoldExhausted)
}

// triedSince is when the tries began: with its acceptance, after its grace
// period, or when an operator sent it on its way again.
func (r *run) triedSince() time.Time {
	since := r.job.CreatedAt.Add(r.GracePeriod)
	if again := sentBackAt(r.job); again.After(since) {
		return again
	}
	return since
}

// subject begins the messages of log lines.
func (r *run) subject() string {
	if r.isVerification() {
		return "verification"
	}
	return "deletion"
}

func (r *run) lineFields(result event.Result, more ...zap.Field) []zap.Field {
	now := r.Now()
	fields := append(r.fields(r.attempt.Deletion),
		zap.Int("attempt", r.job.Attempt),
		zap.Int64("duration_ms", now.Sub(r.start).Milliseconds()),
		zap.Int64("delay_ms", now.Sub(r.job.CreatedAt).Milliseconds()),
		zap.Int("polar_status", result.PolarStatus),
		zap.Int64("deletion_id", r.job.ID))
	if r.isVerification() {
		fields = append(fields, zap.Int64("verified_deletion_id", r.args.DeletionID))
	}
	return append(fields, more...)
}
