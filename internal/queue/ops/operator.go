// Package ops is what operators do about deletions, for the commands and the
// console: request, list, approve, cancel, pause, export, forget.
//
// It runs no deletions and needs no lock, so it works beside servers. It must not
// know who asks, nor how the answer is shown.
package ops

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Options for New.
type Options struct {
	Store    *queue.Store
	Bindings *binding.Store
	// SQL says which kind of database it is, and in which schema the tables are.
	SQL namedsql.Target
	// DB writes, Reader looks.
	DB, Reader *sql.DB
	// Logger gets a line about each action. LogID turns an external id into
	// what the line may say of it.
	Logger *zap.Logger
	LogID  func(id string) string
	Now    func() time.Time
	// By is who acts, as it is stored: "cli:NAME" or "console:NAME".
	By string
}

const (
	// maxReason bounds an operator's reason, in bytes.
	maxReason = 500
	// maxName bounds an operator's name, in bytes.
	maxName = 64
)

// CheckName wants a readable name of at most 64 bytes, which is who an operator says they are.
func CheckName(name string) error {
	if len(name) > maxName || strings.TrimSpace(name) != name || CheckReason(name) != nil {
		return errors.New("must be a name of 1 to 64 bytes of printable text")
	}
	return nil
}

// CheckReason wants one readable line of at most 500 bytes, which is why an operator does something.
func CheckReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errors.New("must say why")
	case len(reason) > maxReason:
		return fmt.Errorf("must have at most %d bytes", maxReason)
	case !utf8.ValidString(reason) || strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("must be one line of printable text")
	}
	return nil
}

// Operator looks at deletions and acts on them for a human.
//
// Each action is a transaction that decides by the state it finds in it, so
// that an operator races neither workers nor other operators.
type Operator struct {
	options Options
	sql     statements
}

// New makes an Operator on a migrated database.
func New(o Options) (*Operator, error) {
	operator := &Operator{options: o}
	return operator, o.SQL.Load(statementFiles, &operator.sql)
}

// As returns the same for somebody else who acts.
func (o *Operator) As(by string) *Operator {
	other := *o
	other.options.By = by
	return &other
}

//go:embed sql
var statementFiles embed.FS

// statements are the SQL of operators' commands, as it stands in sql.
type statements struct {
	List, ListPending, ListExternalID                         string
	ListOldest, ListPendingOldest, ListExternalIDOldest       string
	Finished, FinishedOfExternalID, OfExternalID              string
	OpenOfExternalIDs                                         string
	CountAll, CountUnfinished, EndedByHour, LastReceived      string
	ResetFailing, Release, Cancel, Acknowledge, Approve, Note string
	Redo, Redoable, Unapprove                                 string
	RedactDeletion, RedactApprovals, RedactActions            string
}

// RefusedError is why an action is not possible, as a sentence for people.
type RefusedError struct {
	// ID is the deletion's, 0 when it is about none.
	ID int64
	// Sentence says why, and what to do instead.
	Sentence string
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.ID == 0 {
		return e.Sentence
	}
	return fmt.Sprintf("deletion %d: %s", e.ID, e.Sentence)
}

func refused(id int64, format string, args ...any) error {
	return &RefusedError{ID: id, Sentence: fmt.Sprintf(format, args...)}
}

// unknown says that there is no such deletion (any more).
func unknown(id int64) error {
	return refused(id, "there is no such deletion; done and cancelled ones are kept for RETENTION only")
}

// act is what an operator does to one deletion.
type act struct {
	action deletion.Verb
	reason string
	// change is the statement that changes the row, $1 its id, and values its other
	// parameters.
	change string
	values []any
	// again sends the deletion on its way now.
	again bool
	// approves is the guard that it may pass from now on, "" for none.
	approves deletion.HoldReason
	// unapproves ends its approvals: all guards ask again.
	unapproves bool
}

// decide looks at a deletion in the state it has inside the transaction and says
// what becomes of it. nil leaves it alone; an error ends the transaction. It is asked
// again when the transaction is repeated.
type decide func(r queue.Record) (*act, error)

// each decides on each of the deletions and carries all of it out, or nothing,
// in one transaction. Afterwards it logs what was done and returns how many. It
// leaves out ids that do not exist.
func (o *Operator) each(ctx context.Context, ids []int64, decide decide) (int, error) {
	var lines [][]zap.Field
	now := o.options.Now()
	err := queue.Transact(ctx, o.options.DB, o.options.Store, func(ctx context.Context, tx *sql.Tx) error {
		lines = nil
		found, err := o.lock(ctx, tx, ids)
		if err != nil {
			return err
		}
		active, err := o.options.Bindings.Active(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, known := found[id]
			if !known {
				continue
			}
			if r.Binding != active {
				return refused(id, "it belongs to another Polar organization than the database now; polar-bridge rebind changes that")
			}
			done, err := decide(r)
			if err != nil {
				return err
			}
			if done == nil {
				continue
			}
			if err := o.carryOut(ctx, tx, r, done, now); err != nil {
				return err
			}
			lines = append(lines, o.line(r, done))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, fields := range lines {
		o.options.Logger.Info("operator action", fields...)
	}
	return len(lines), nil
}

// one decides on one deletion, and refuses an id that does not exist.
func (o *Operator) one(ctx context.Context, id int64, decide decide) error {
	count, err := o.each(ctx, []int64{id}, decide)
	if err == nil && count == 0 {
		return unknown(id)
	}
	return err
}

// lock reads the deletions and keeps them until the transaction ends.
func (o *Operator) lock(ctx context.Context, tx *sql.Tx, ids []int64) (map[int64]queue.Record, error) {
	now, err := o.options.Store.Clock(ctx, tx, o.options.Now())
	if err != nil {
		return nil, err
	}
	records, err := o.options.Store.LockRecords(ctx, tx, ids, now)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]queue.Record, len(records))
	for _, r := range records {
		found[r.ID] = r
	}
	return found, nil
}

func (o *Operator) carryOut(ctx context.Context, tx *sql.Tx, r queue.Record, done *act, now time.Time) error {
	if _, err := tx.ExecContext(ctx, done.change, append([]any{r.ID}, done.values...)...); err != nil {
		return fmt.Errorf("%s deletion %d: %w", done.action, r.ID, err)
	}
	if done.unapproves {
		if _, err := tx.ExecContext(ctx, o.sql.Unapprove, r.ID); err != nil {
			return fmt.Errorf("end approvals of deletion %d: %w", r.ID, err)
		}
	}
	if done.again {
		if err := o.options.Store.SendAgain(ctx, tx, r, time.Time{}, false); err != nil {
			return err
		}
	}
	return o.record(ctx, tx, r, done, now)
}

// record writes down the approval and who did it.
func (o *Operator) record(ctx context.Context, tx *sql.Tx, r queue.Record, done *act, now time.Time) error {
	if done.approves != "" {
		_, err := tx.ExecContext(ctx, o.sql.Approve, r.ID, string(done.approves), r.CustomerID)
		if err != nil {
			return fmt.Errorf("approve deletion %d: %w", r.ID, err)
		}
	}
	return o.note(ctx, tx, r.ID, queue.Action{At: now, Action: string(done.action), Reason: done.reason})
}

// note writes down who did what.
func (o *Operator) note(ctx context.Context, tx *sql.Tx, id int64, done queue.Action) error {
	_, err := tx.ExecContext(ctx, o.sql.Note, id, queue.Micros(done.At), o.options.By, done.Action, done.Reason)
	if err != nil {
		return fmt.Errorf("note who did it: %w", err)
	}
	return nil
}

// line is what the log says of an action.
func (o *Operator) line(r queue.Record, done *act) []zap.Field {
	return []zap.Field{
		zap.String("action", string(done.action)), zap.String("by", o.options.By), zap.String("reason", done.reason),
		zap.Int64("deletion_id", r.ID), zap.String("provider", r.Provider), zap.String("event_id", r.EventID),
		zap.String("external_id", o.options.LogID(cmp.Or(r.UnusableID, r.ExternalID))),
	}
}
