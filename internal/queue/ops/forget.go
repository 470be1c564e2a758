package ops

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Forget takes everything personal out of the records of one person: ids, the
// event's too, and what operators wrote. What happened when stays, and so does the
// keyed digest by which a repeat of the event is still a duplicate. It returns how
// many records.
//
// It refuses, and changes nothing, while one of them is not finished.
func (o *Operator) Forget(ctx context.Context, externalID string) (int, error) {
	var forgotten []queue.Record
	now := o.options.Now()
	err := queue.Transact(ctx, o.options.DB, o.options.Store, func(ctx context.Context, tx *sql.Tx) (err error) {
		ids, err := queue.IDs(ctx, tx, o.sql.OfExternalID, externalID)
		if err != nil {
			return fmt.Errorf("look for deletions of a person: %w", err)
		}
		if forgotten, err = o.options.Store.LockRecords(ctx, tx, ids, now); err != nil {
			return err
		}
		for _, r := range forgotten {
			if r.State != deletion.StateDone && r.State != deletion.StateCancelled {
				return refused(r.ID, "this deletion of the same person is %s; wait until it is finished, or cancel it first", r.State)
			}
			if r.Verification == deletion.VerificationPending {
				return refused(r.ID, "Polar has still to be asked whether this customer stayed away, at %s UTC; wait until it is verified", r.VerifyAt.Format(time.DateTime))
			}
			if err := o.redact(ctx, tx, r.ID); err != nil {
				return err
			}
			if err := o.note(ctx, tx, r.ID, queue.Action{At: now, Action: "forget"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, r := range forgotten {
		o.options.Logger.Info("operator action", zap.String("action", "forget"), zap.String("by", o.options.By),
			zap.Int64("deletion_id", r.ID), zap.String("provider", r.Provider))
	}
	return len(forgotten), nil
}

// redact rewrites one record. Operators may have named the person in a reason.
func (o *Operator) redact(ctx context.Context, tx *sql.Tx, id int64) error {
	for _, statement := range []string{o.sql.RedactDeletion, o.sql.RedactApprovals, o.sql.RedactActions} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return fmt.Errorf("forget deletion %d: %w", id, err)
		}
	}
	return nil
}
