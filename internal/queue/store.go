package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Store writes deletions and their jobs within a caller's transaction. Servers
// and operators' commands share it.
type Store struct {
	// Client is River's, which inserts jobs.
	Client *river.Client[*sql.Tx]
	// Key is the key of digests.
	Key []byte
	// GracePeriod is how long a new deletion waits at first.
	GracePeriod time.Duration

	postgres bool
}

// NewStore returns a Store over River's driver, for a process that works nothing.
func NewStore(driver riverdriver.Driver[*sql.Tx], key []byte, logger *zap.Logger) (*Store, error) {
	client, err := river.NewClient(driver, &river.Config{Logger: riverLogger(logger)})
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	return &Store{Client: client, Key: key, postgres: isPostgres(driver)}, nil
}

func isPostgres(driver riverdriver.Driver[*sql.Tx]) bool {
	return driver.DatabaseName() != riverdriver.DatabaseNameSQLite
}

// ForUpdate ends a SELECT whose rows are about to be changed.
func (s *Store) ForUpdate() string {
	if s.postgres {
		return " FOR UPDATE"
	}
	return "" // SQLite's transactions begin with the file's write lock
}

// Transaction are the options of every transaction here: each statement sees
// what was committed before it, whatever the server's default is.
func (s *Store) Transaction() *sql.TxOptions {
	if s.postgres {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// Clock is the time by which requests are sent: the server's on Postgres, so that
// replicas and operators need not agree, else this process'.
func (s *Store) Clock(ctx context.Context, tx *sql.Tx, process time.Time) (time.Time, error) {
	if !s.postgres {
		return process, nil
	}
	var micros int64
	err := tx.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&micros)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the server's clock: %w", err)
	}
	return Instant(micros), nil
}

// Job is what is to be done about a row.
type Job struct {
	DeletionID, Generation int64
	// At is when it is due; zero is at once.
	At             time.Time
	DryRun, Verify bool
}

// Enqueue inserts jobs and returns their ids, in the same order.
func (s *Store) Enqueue(ctx context.Context, tx *sql.Tx, jobs []Job) ([]int64, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		params[i] = j.params()
	}
	inserted, err := s.Client.InsertManyTx(ctx, tx, params)
	if err != nil {
		return nil, fmt.Errorf("insert jobs: %w", err)
	}
	ids := make([]int64, len(inserted))
	for i, result := range inserted {
		ids[i] = result.Job.ID
	}
	return ids, nil
}

// Insert stores deletions with their jobs, and returns what was new. A repeat
// goes in once, because one statement may not meet itself; those that name
// another user than the first of their event go in with a second statement, which
// only they cost.
func (s *Store) Insert(ctx context.Context, tx *sql.Tx, deletions []deletion.Deletion, dryRun bool, now time.Time) (*Ledger, error) {
	l := newLedger(s.Key, dryRun, len(deletions))
	var firsts []insertion
	for _, d := range deletions {
		if key, first := l.first(d); first {
			firsts = append(firsts, insertion{Deletion: d, key: key})
		}
	}
	if err := s.insert(ctx, tx, l, firsts, now); err != nil {
		return nil, fmt.Errorf("insert deletions: %w", err)
	}
	if err := s.readFirsts(ctx, tx, l, firsts); err != nil {
		return nil, fmt.Errorf("compare repeats: %w", err)
	}
	var conflicts []insertion
	for _, d := range deletions {
		if key, variant, first := l.conflict(d); first {
			conflicts = append(conflicts, insertion{Deletion: d, key: key, variant: variant})
		}
	}
	if err := s.insert(ctx, tx, l, conflicts, now); err != nil {
		return nil, fmt.Errorf("insert conflicting repeats: %w", err)
	}
	return l, nil
}

// insertion is a deletion on its way into the table.
type insertion struct {
	deletion.Deletion

	key, variant string
}

// insert stores the rows that are not there yet, and a job for each of them that
// nobody has to decide about first.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, l *Ledger, rows []insertion, now time.Time) error {
	var jobs []Job
	for some := range powers(rows) {
		if err := s.insertRows(ctx, tx, l, some, now); err != nil {
			return err
		}
	}
	for _, row := range rows {
		if e := l.entries[row.key]; e.fresh && e.held == "" {
			jobs = append(jobs, Job{DeletionID: e.id, Generation: 1, At: s.due(row.Deletion), DryRun: l.dryRun})
		}
	}
	ids, err := s.Enqueue(ctx, tx, jobs)
	if err != nil {
		return err
	}
	return s.setJobs(ctx, tx, jobs, ids)
}

// due is when a new deletion is tried: zero is at once.
func (s *Store) due(d deletion.Deletion) time.Time {
	if s.GracePeriod == 0 {
		return time.Time{}
	}
	return d.ReceivedAt.Add(s.GracePeriod)
}

const insertColumns = `idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
	occurred_at, received_at, state, hold_reason, held_at, next_try_at`

const insertedColumns = 16

func (s *Store) insertRows(ctx context.Context, tx *sql.Tx, l *Ledger, rows []insertion, now time.Time) (err error) {
	values := make([]any, 0, len(rows)*insertedColumns)
	for _, row := range rows {
		state, reason, heldAt, next := deletion.StateWaiting, heldFromTheStart(row.Deletion, row.variant), int64(0), Micros(s.due(row.Deletion))
		if reason != "" {
			state, heldAt, next = deletion.StateHeld, Micros(now), 0
		}
		l.entries[row.key].held = reason
		values = append(values, row.key, row.Provider, row.EventID, l.dryRun, row.variant, row.source(), row.Instance, row.UserID, row.ExternalID, row.UnusableID,
			Micros(row.OccurredAt), Micros(row.ReceivedAt), string(state), string(reason), heldAt, next)
	}
	//nolint:gosec // all parts are constants and numbers of ours
	inserted, err := tx.QueryContext(ctx, "INSERT INTO polar_bridge_deletions ("+insertColumns+") VALUES "+Parameters(len(rows), insertedColumns)+
		" ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, idempotency_key", values...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, inserted.Close()) }()
	for inserted.Next() {
		var id int64
		var key string
		if err := inserted.Scan(&id, &key); err != nil {
			return err
		}
		l.entries[key].id, l.entries[key].fresh = id, true
	}
	return inserted.Err()
}

func (i insertion) source() string {
	if i.Reconciled() {
		return string(deletion.SourceReconcile)
	}
	return string(deletion.SourceWebhook)
}

// setJobs writes onto the rows which jobs carry them out.
func (s *Store) setJobs(ctx context.Context, tx *sql.Tx, jobs []Job, ids []int64) error {
	values := make([]any, 0, 2*len(jobs))
	for i, j := range jobs {
		values = append(values, j.DeletionID, ids[i])
	}
	const pair = 2
	for some := range powers(jobs) {
		n := len(some) * pair
		//nolint:gosec // all parts are constants and numbers of ours
		_, err := tx.ExecContext(ctx, "UPDATE polar_bridge_deletions SET job_id = v.column2 FROM (VALUES "+typed(len(some), "bigint", "bigint")+
			") AS v WHERE id = v.column1", values[:n]...)
		if err != nil {
			return fmt.Errorf("note jobs: %w", err)
		}
		values = values[n:]
	}
	return nil
}

// readFirsts reads whom the first deletions of repeated events were about.
func (s *Store) readFirsts(ctx context.Context, tx *sql.Tx, l *Ledger, firsts []insertion) (err error) {
	var known []any
	for _, row := range firsts {
		if !l.entries[row.key].fresh {
			known = append(known, row.key)
		}
	}
	if len(known) == 0 {
		return nil
	}
	//nolint:gosec // all parts are constants and numbers of ours
	rows, err := tx.QueryContext(ctx, "SELECT idempotency_key, user_id, external_id, unusable_id, redacted FROM polar_bridge_deletions WHERE idempotency_key IN "+
		Parameters(1, len(known)), known...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key string
		var first subject
		var redacted bool
		if err := rows.Scan(&key, &first.userID, &first.externalID, &first.unusableID, &redacted); err != nil {
			return err
		}
		l.entries[key].subject, l.entries[key].anybody = first, redacted
	}
	return rows.Err()
}

// powers yields all in chunks whose lengths are powers of two, the largest
// first, so that there are few different statements to prepare.
func powers[T any](all []T) iter.Seq[[]T] {
	const largest = 256
	return func(yield func([]T) bool) {
		for size := largest; size > 0; size /= 2 {
			for len(all) >= size {
				if !yield(all[:size]) {
					return
				}
				all = all[size:]
			}
		}
	}
}

// Parameters returns rows of so many numbered parameters: ($1, $2), ($3, $4).
func Parameters(rows, columns int) string {
	return parameters(rows, columns, func(n int) string { return "$" + strconv.Itoa(n+1) })
}

// typed returns so many rows of parameters whose types are told, as they must be
// where a statement gives them no other place.
func typed(rows int, types ...string) string {
	return parameters(rows, len(types), func(n int) string { return fmt.Sprintf("CAST($%d AS %s)", n+1, types[n%len(types)]) })
}

func parameters(rows, columns int, parameter func(n int) string) string {
	var text strings.Builder
	for n := range rows * columns {
		switch {
		case n == 0:
			text.WriteString("(")
		case n%columns == 0:
			text.WriteString("), (")
		default:
			text.WriteString(", ")
		}
		text.WriteString(parameter(n))
	}
	text.WriteString(")")
	return text.String()
}

// Micros is a time as it is stored: UNIX microseconds, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Instant is what Micros stored.
func Instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
