package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"
)

// OperatorOptions for NewOperator.
type OperatorOptions struct {
	// Driver is River's driver over DB; DB writes, Reader looks.
	Driver     riverdriver.Driver[*sql.Tx]
	DB, Reader *sql.DB
	// Logger gets a line about each action. LogID turns an external id into
	// what the line may say of it.
	Logger *zap.Logger
	LogID  func(id string) string
	Now    func() time.Time
	// By is who acts, as it is stored: "cli:<user>" or "console".
	By string
}

// Operator looks at deletions and acts on them for a human. It runs no
// deletions and needs no lock, so it may work beside servers.
//
// Each action is a transaction that decides by the state it finds in it, so
// that an operator races neither workers nor other operators.
type Operator struct {
	options OperatorOptions
	sql     operatorStatements
	client  *river.Client[*sql.Tx]
}

// NewOperator makes an Operator on a migrated database.
func NewOperator(o OperatorOptions) (*Operator, error) {
	client, err := river.NewClient(o.Driver, &river.Config{Logger: riverLogger(o.Logger)})
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	return &Operator{options: o, sql: newOperatorStatements(o.Driver.DatabaseName()), client: client}, nil
}

// RefusedError is why an action is not possible, as a sentence for people.
type RefusedError struct {
	// ID is the deletion's.
	ID int64
	// Sentence says why, and what to do instead.
	Sentence string
}

// Error implements error.
func (e *RefusedError) Error() string { return fmt.Sprintf("deletion %d: %s", e.ID, e.Sentence) }

func refused(id int64, format string, args ...any) error {
	return &RefusedError{ID: id, Sentence: fmt.Sprintf(format, args...)}
}

// unknownError says that there is no such deletion (any more).
func unknownError(id int64) error {
	return refused(id, "there is no such deletion; done and cancelled ones are kept for RETENTION only")
}

// writePatience is how long an action waits for SQLite's lock, which servers
// take for milliseconds at a time.
const writePatience = 30 * time.Second

// transact runs work in one transaction. Until it began nothing was done, so a
// busy database is asked again.
func (o *Operator) transact(ctx context.Context, work func(ctx context.Context, tx *sql.Tx) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	tx, err := begin(ctx, o.options.DB)
	if err != nil {
		return err
	}
	defer func() {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			err = errors.Join(err, undo)
		}
	}()
	if err := work(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
