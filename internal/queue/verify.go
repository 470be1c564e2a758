package queue

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// verify makes one attempt at a verification: it looks whether a deleted customer
// stayed away, and changes nothing about the deletion but that it was verified.
func (r *run) verify(ctx context.Context) error {
	if r.record.State != deletion.StateDone || r.record.Outcome != deletion.OutcomeDeleted || r.record.Verification != deletion.VerificationPending {
		return nil
	}
	ctx, span := r.trace(ctx, "verify deletion")
	defer span.End()
	found, seen, decision := r.lookAgain(ctx)
	span.Set("result", string(found))
	wait := time.Duration(0)
	switch decision := decision.(type) {
	case nil, deletion.Done, deletion.Hold:
		return r.verified(ctx, found, seen)
	case deletion.Wait:
		r.waits(&decided{seen: seen}, decision)
		return river.JobSnooze(max(decision.For, 0))
	case deletion.Retry:
		wait = Backoff(int(r.record.Failures) + 1)
		if r.record.failingFor+wait >= giveUpAfter {
			return r.verified(ctx, deletion.VerificationError, seen)
		}
		r.Logger.Warn("verification retried", r.lineFields(seen,
			zap.String("reason", string(decision.Reason)), zap.Int64("retry_in_ms", wait.Milliseconds()), zap.Error(decision.Err))...)
	}
	if _, err := r.queue.change(ctx, r.queue.store.sql.VerificationFailed, r.record.ID, wait.Microseconds()); err != nil {
		r.Logger.Error("a failed verification could not be counted", zap.Int64("deletion_id", r.record.ID), zap.Error(err))
	}
	return river.JobSnooze(wait)
}

// lookAgain makes the lookup. For a panic see apply.
func (r *run) lookAgain(ctx context.Context) (found deletion.Verification, seen deletion.Observed, decision deletion.Decision) {
	defer func() {
		if v := recover(); v != nil {
			r.Logger.Error("verification panicked", append(r.fields(r.record.Deletion()), zap.String("type", fmt.Sprintf("%T", v)), zap.Stack("stack"))...)
			decision = deletion.Retry{Reason: deletion.RetryPanic, Err: fmt.Errorf("panic of type %T", v)}
		}
	}()
	return r.Verifier.Verify(ctx, r.attempt(), int(r.record.Failures)+1)
}

// verified writes down what the verification came to. A customer who is there
// again is a case for a human.
func (r *run) verified(ctx context.Context, found deletion.Verification, seen deletion.Observed) error {
	state := deletion.StateDone
	if found == deletion.VerificationFound || found == deletion.VerificationSubscriptionActive {
		state = deletion.StateReappeared
	}
	now := r.Now()
	changed, err := r.queue.change(ctx, r.queue.store.sql.Verified,
		r.record.ID, string(found), Micros(now), string(state), seen.Customer.ID, seen.Customer.Type, Micros(seen.Customer.CreatedAt), r.record.Generation,
		string(cmp.Or(seen.SubscriptionsEnded, deletion.SubscriptionsEndedNotAsked)))
	switch {
	case err != nil:
		r.Logger.Error("a verification could not be written", zap.Int64("deletion_id", r.record.ID), zap.Error(err))
		return river.JobSnooze(rowAgain)
	case changed == 0:
		return nil
	}
	r.Metrics.DeletionVerified(r.record.Deletion().CountedAs(), found)
	fields := r.lineFields(seen, zap.String("outcome", string(found)))
	switch found {
	case deletion.VerificationFound:
		r.Logger.Error("customer reappeared after the deletion", fields...)
	case deletion.VerificationSubscriptionActive:
		r.Logger.Error("a subscription of the deleted customer is still active", append(fields, zap.String("customer_id", r.record.CustomerID))...)
	case deletion.VerificationError:
		r.Logger.Warn("verification finished", fields...)
	case deletion.VerificationGone, deletion.VerificationPending:
		r.Logger.Info("verification finished", fields...)
	}
	return nil
}
