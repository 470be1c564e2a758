package app

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// loop is something that runs in the background until its context ends.
type loop struct {
	name  string
	owner string // the package that knows what it does
	run   func(ctx context.Context)
}

// loops lists all of them. River and the committer are not among them: they outlive
// the requests in flight, and close stops them.
func (a *App) loops() []loop {
	all := []loop{
		{"gauges", "internal/app", a.observe},
		{"secret files", "config", func(ctx context.Context) { WatchSecrets(ctx, a.options.Settings.Secrets(), a.options.Reread, a.log) }},
		{"binding", "internal/binding", a.binding.Run},
	}
	for _, l := range a.queue.Loops() {
		all = append(all, loop{l.Name, "internal/queue", l.Run})
	}
	if a.db.Dialect == database.SQLite {
		all = append(all,
			loop{"WAL checkpoint", "internal/database", a.maintain(metrics.MaintenanceCheckpoint, database.CheckpointEvery, a.db.Checkpoint)},
			loop{"integrity check", "internal/database", a.maintain(metrics.MaintenanceIntegrityCheck, database.CheckEvery, a.db.Check)},
		)
	}
	if len(a.sweepers) > 0 {
		all = append(all, loop{"reconciliation", "internal/reconcile", a.reconcile})
	}
	if a.outbox != nil {
		all = append(all, loop{"outbox", "internal/outbox", a.outbox.Run})
	}
	if a.notifier != nil {
		all = append(all, loop{"notifications", "internal/notify", a.notifier.Run})
	}
	return all
}

// maintain returns a loop that runs at once and then in an interval. What fails is
// counted each time, and logged twice a minute at most.
func (a *App) maintain(what string, interval time.Duration, run func(ctx context.Context) error) func(ctx context.Context) {
	log := fewLines(a.log)
	return func(ctx context.Context) {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				a.metrics.DatabaseMaintenanceFailed(what)
				log.Error("database maintenance failed", zap.String("maintenance", what), zap.Error(err))
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// fewLines logs the first two equal messages of a minute.
func fewLines(log *zap.Logger) *zap.Logger {
	const first = 2
	return log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, first, 0)
	}))
}
