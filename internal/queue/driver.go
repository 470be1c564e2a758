package queue

import (
	"context"
	"database/sql"
	"slices"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// sqliteDriver is River's driver for SQLite without what it does to jobs one by one
// while everybody else waits to write.
type sqliteDriver struct {
	riverdriver.Driver[*sql.Tx]

	queue *Queue
}

// GetExecutor implements riverdriver.Driver.
func (d sqliteDriver) GetExecutor() riverdriver.Executor {
	return sqliteExecutor{d.Driver.GetExecutor(), d.queue}
}

// UnwrapTx implements riverdriver.Driver.
func (d sqliteDriver) UnwrapTx(tx riverdriver.ExecutorTx) *sql.Tx {
	if ours, ok := tx.(sqliteTx); ok {
		tx = ours.ExecutorTx
	}
	return d.Driver.UnwrapTx(tx)
}

type sqliteExecutor struct {
	riverdriver.Executor

	queue *Queue
}

// Begin implements riverdriver.Executor.
func (e sqliteExecutor) Begin(ctx context.Context) (riverdriver.ExecutorTx, error) {
	tx, err := e.Executor.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return sqliteTx{tx}, nil
}

// JobSetStateIfRunningMany implements riverdriver.Executor. Jobs that are completed are
// removed together, as far as their decisions have not done so. Nobody waits to hear of it.
func (e sqliteExecutor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) ([]*rivertype.JobRow, error) {
	if slices.ContainsFunc(params.State, func(s rivertype.JobState) bool { return s != rivertype.JobStateCompleted }) {
		return e.Executor.JobSetStateIfRunningMany(ctx, params)
	}
	return nil, e.queue.endJobs(ctx, e.queue.options.DB.ExecContext, params.ID)
}

type sqliteTx struct{ riverdriver.ExecutorTx }

// JobSchedule implements riverdriver.Executor and leaves it to followDue.
func (sqliteTx) JobSchedule(context.Context, *riverdriver.JobScheduleParams) ([]*riverdriver.JobScheduleResult, error) {
	return nil, nil
}
