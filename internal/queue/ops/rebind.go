package ops

import (
	"context"
	"database/sql"
	"fmt"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Rebind makes the database belong to another Polar organization. It refuses while
// deletions of the one before wait or are held: nobody would carry them out. An
// operator's pause stays.
func (o *Operator) Rebind(ctx context.Context, to int64, because string) error {
	err := queue.Transact(ctx, o.options.DB, o.options.Store, func(ctx context.Context, tx *sql.Tx) error {
		active, err := o.options.Bindings.Active(ctx, tx)
		if err != nil {
			return err
		}
		if active == to {
			return &RefusedError{Sentence: "the database belongs to this Polar organization already"}
		}
		var left int
		err = tx.QueryRowContext(ctx, o.sql.CountUnfinished, active).Scan(&left)
		if err != nil {
			return fmt.Errorf("count what is not finished: %w", err)
		}
		if left > 0 {
			return &RefusedError{Sentence: fmt.Sprintf("still waiting or held for the organization that the database belongs to: %d; let its server finish them, or cancel them, and try again", left)}
		}
		if err := o.options.Bindings.Activate(ctx, tx, to, o.options.Now()); err != nil {
			return err
		}
		pause, err := o.options.Store.ReadPause(ctx, tx)
		if err != nil {
			return err
		}
		if pause.Paused {
			for _, name := range queue.PausedQueues(to) {
				if _, err := o.options.Store.SetPaused(ctx, tx, name, true); err != nil {
					return err
				}
			}
		}
		return o.note(ctx, tx, 0, queue.Action{At: o.options.Now(), Action: "rebind", Reason: because})
	})
	if err == nil {
		o.options.Logger.Info("operator action", zap.String("action", "rebind"), zap.String("by", o.options.By), zap.String("reason", because), zap.Int64("binding", to))
	}
	return err
}
