package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

const (
	// verifyPriority comes after every deletion; River's are 1 to 4.
	verifyPriority = 4
	// storeTimeout bounds how long storing a verification may take.
	storeTimeout = 2 * time.Second
)

// Verifier looks whether a deleted customer stayed away. The result counts even
// when there is an error.
type Verifier interface {
	Verify(ctx context.Context, a event.Attempt) (event.Verified, error)
}

// verifyLater stores the verification of a deletion that is about to be
// finished. It comes first, so that no crash between the two loses it: then the
// deletion is tried again, finds nobody, and meets its verification here.
func (r *run) verifyLater(ctx context.Context, customerID string) error {
	if r.VerifyAfter <= 0 {
		return nil
	}
	// The deletion is done: that the program stops is no reason to forget it.
	// But the time of an attempt is bounded for other reasons.
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		storing, cancel = context.WithDeadline(storing, deadline)
		defer cancel()
	}
	later := *r.args
	later.Version, later.DeletionID, later.CustomerID = argsVersion, r.job.ID, customerID
	err := r.queue.storeJob(storing, river.InsertManyParams{Args: verifyArgs(later), InsertOpts: &river.InsertOpts{
		Queue: queueDeletions, Priority: verifyPriority, MaxAttempts: maxAttempts,
		ScheduledAt: r.Now().Add(r.VerifyAfter),
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}})
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "store verification: %w", err)
	}
	return nil
}

// isVerification tells a look after a deletion from a deletion.
func (r *run) isVerification() bool { return r.job.Kind == kindVerify }

// verify makes one attempt at a verification. It changes nothing about the
// deletion but that it was verified.
func (r *run) verify(ctx context.Context) error {
	verified, err := r.lookAgain(ctx)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return errors.Join(err, ctx.Err()) // see work
	}
	if err := noteCustomer(ctx, verified.Customer); err != nil {
		return err
	}
	result := event.Result{PolarStatus: verified.PolarStatus}
	switch fault.KindOf(err) {
	case "":
		return r.finishVerification(ctx, verified)
	case fault.Paused:
		return r.postpone(result, err)
	case fault.Held:
		if fault.ReasonOf(err) != string(event.HoldResurrected) {
			// Polar is odd about this one: no reason to call anybody.
			verified.Verification = event.VerificationError
			return r.finishVerification(ctx, verified)
		}
		r.Metrics.DeletionVerified(r.attempt.Provider, string(event.VerificationFound))
		return r.hold(ctx, result, event.HoldResurrected)
	case fault.Unavailable, fault.Internal,
		fault.Malformed, fault.Unauthenticated, fault.NotFound, fault.MethodNotAllowed, fault.TooLarge, fault.Unsupported:
	}
	return r.retry(ctx, result, err)
}

// lookAgain makes the look. For a panic see apply.
func (r *run) lookAgain(ctx context.Context) (verified event.Verified, err error) {
	if r.args.Version > argsVersion {
		return event.Verified{}, r.newerVersion()
	}
	defer func() {
		if v := recover(); v != nil {
			verified, err = event.Verified{}, r.panicked(v)
		}
	}()
	return r.Verifier.Verify(ctx, r.attempt)
}

// verifiedOutput is what a finished verification says. Names are stored.
type verifiedOutput struct {
	Outcome     event.Verification `json:"outcome"`
	PolarStatus int                `json:"polar_status,omitempty"`
	FinishedAt  time.Time          `json:"finished_at"`
}

func (r *run) finishVerification(ctx context.Context, v event.Verified) error {
	now := r.Now()
	if v.Verification == event.VerificationGone {
		if err := r.noteVerified(ctx, now); err != nil {
			return r.retry(ctx, event.Result{PolarStatus: v.PolarStatus}, err)
		}
	}
	err := river.RecordOutput(ctx, verifiedOutput{Outcome: v.Verification, PolarStatus: v.PolarStatus, FinishedAt: now.UTC()})
	if err != nil {
		return fmt.Errorf("record verification: %w", err)
	}
	r.Metrics.DeletionVerified(r.attempt.Provider, string(v.Verification))
	fields := r.lineFields(event.Result{PolarStatus: v.PolarStatus}, zap.String("outcome", string(v.Verification)))
	if v.Verification == event.VerificationError {
		r.Logger.Warn("verification finished", fields...)
		return nil
	}
	r.Logger.Info("verification finished", fields...)
	return nil
}

// noteVerified writes onto the deletion when nobody was found any more. That
// the deletion is not kept any more is no error.
func (r *run) noteVerified(ctx context.Context, at time.Time) error {
	set := "jsonb_set(metadata, '{" + keyVerifiedAt + "}', to_jsonb($2::text))"
	if r.Driver.DatabaseName() == riverdriver.DatabaseNameSQLite {
		set = "jsonb_set(metadata, '$." + keyVerifiedAt + "', $2)"
	}
	_, err := r.DB.ExecContext(ctx, "UPDATE river_job SET metadata = "+set+" WHERE id = $1 AND kind = '"+kindDeletion+"'",
		r.args.DeletionID, at.UTC().Format(time.RFC3339))
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "note a verification: %w", err)
	}
	return nil
}
