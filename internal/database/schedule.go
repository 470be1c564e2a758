package database

import (
	"context"
	"database/sql"

	"github.com/riverqueue/river/riverdriver"
)

// scheduleBatch is how many jobs that fall due River makes available in one
// transaction on SQLite. It takes them one by one, and webhooks wait meanwhile:
// with River's own 10,000, longer than their senders do. River looks every five
// seconds, so 6,000 a minute become available, twelve times what Polar allows.
const scheduleBatch = 500

// smallSchedules is River's driver for SQLite with smaller transactions where
// jobs fall due: River's own batch size is not a setting.
type smallSchedules struct {
	riverdriver.Driver[*sql.Tx]
}

// GetExecutor implements riverdriver.Driver.
func (d smallSchedules) GetExecutor() riverdriver.Executor {
	return smallSchedulesExecutor{d.Driver.GetExecutor()}
}

// UnwrapTx implements riverdriver.Driver.
func (d smallSchedules) UnwrapTx(tx riverdriver.ExecutorTx) *sql.Tx {
	if small, ok := tx.(smallSchedulesTx); ok {
		tx = small.ExecutorTx
	}
	return d.Driver.UnwrapTx(tx)
}

type smallSchedulesExecutor struct{ riverdriver.Executor }

// Begin implements riverdriver.Executor.
func (e smallSchedulesExecutor) Begin(ctx context.Context) (riverdriver.ExecutorTx, error) {
	tx, err := e.Executor.Begin(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // River wraps it
	}
	return smallSchedulesTx{tx}, nil
}

type smallSchedulesTx struct{ riverdriver.ExecutorTx }

// JobSchedule implements riverdriver.Executor. River takes fewer than it asked
// for to mean that no more are due, and looks again at its next turn.
func (tx smallSchedulesTx) JobSchedule(ctx context.Context, params *riverdriver.JobScheduleParams) ([]*riverdriver.JobScheduleResult, error) {
	small := *params
	small.Max = min(params.Max, scheduleBatch)
	return tx.ExecutorTx.JobSchedule(ctx, &small) //nolint:wrapcheck // River wraps it
}
