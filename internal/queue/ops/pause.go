package ops

import (
	"context"
	"database/sql"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Pause stops all servers, also those that start later, from trying deletions
// until Resume; what is being tried is finished. The reason may be "". It says whether
// anything changed.
func (o *Operator) Pause(ctx context.Context, reason string) (changed bool, err error) {
	return o.setPaused(ctx, queue.Action{Action: queue.ActionPause, Reason: reason}, true)
}

// Resume ends a pause. It says whether anything changed.
func (o *Operator) Resume(ctx context.Context) (changed bool, err error) {
	return o.setPaused(ctx, queue.Action{Action: "resume"}, false)
}

// Paused looks whether an operator has paused.
func (o *Operator) Paused(ctx context.Context) (queue.Pause, error) {
	return o.options.Store.ReadPause(ctx, o.options.Reader)
}

// CountHour is how many deletions took a place within the last hour.
func (o *Operator) CountHour(ctx context.Context) (int, error) {
	return o.options.Store.CountHour(ctx, o.options.Reader, o.options.Now())
}

// Foreign reports whether a deletion belongs to another Polar organization than the
// database does.
func (o *Operator) Foreign(r *queue.Record) bool { return r.Binding != o.options.Store.Binding() }

func (o *Operator) setPaused(ctx context.Context, action queue.Action, wanted bool) (changed bool, err error) {
	err = queue.Transact(ctx, o.options.DB, o.options.Store, func(ctx context.Context, tx *sql.Tx) error {
		changed = false
		active, err := o.options.Bindings.Active(ctx, tx)
		if err != nil {
			return err
		}
		for _, name := range queue.PausedQueues(active) {
			different, err := o.options.Store.SetPaused(ctx, tx, name, wanted)
			if err != nil {
				return err
			}
			changed = changed || different
		}
		if !changed {
			return nil
		}
		action.At = o.options.Now()
		return o.note(ctx, tx, 0, action)
	})
	if err != nil || !changed {
		return false, err
	}
	fields := []zap.Field{zap.String("action", action.Action), zap.String("by", o.options.By)}
	if action.Reason != "" {
		fields = append(fields, zap.String("reason", action.Reason))
	}
	o.options.Logger.Info("operator action", fields...)
	return true, nil
}
