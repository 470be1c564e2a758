package queue

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Store writes deletions and their jobs within a caller's transaction. Servers
// and operators' commands share it.
type Store struct {
	// Client is River's, which inserts jobs.
	Client *river.Client[*sql.Tx]
	// Key is the key of digests.
	Key []byte
	// Binding is the binding that new deletions belong to.
	Binding func() int64
	// GracePeriod is how long a new deletion waits at first.
	GracePeriod time.Duration

	target namedsql.Target
	sql    statements
}

// NewStore returns a Store over River's driver, for a process that works nothing.
func NewStore(driver riverdriver.Driver[*sql.Tx], target namedsql.Target, key []byte, binding func() int64, logger *zap.Logger) (*Store, error) {
	client, err := river.NewClient(driver, &river.Config{Logger: riverLogger(logger), Schema: riverSchema(target), Hooks: reservedIDs()})
	if err != nil {
		return nil, fmt.Errorf("prepare queue: %w", err)
	}
	return newStore(client, target, key, binding)
}

func newStore(client *river.Client[*sql.Tx], target namedsql.Target, key []byte, binding func() int64) (*Store, error) {
	s := &Store{Client: client, Key: key, Binding: binding, target: target}
	return s, target.Load(statementFiles, &s.sql)
}

// riverSchema is where River's tables are. River's driver for SQLite knows none.
func riverSchema(target namedsql.Target) string {
	if target.Postgres {
		return target.Schema
	}
	return ""
}

// Transaction are the options of every transaction here: each statement sees
// what was committed before it, whatever the server's default is.
func (s *Store) Transaction() *sql.TxOptions {
	if s.target.Postgres {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// Clock is the time by which requests are sent: the server's on Postgres, so that
// replicas and operators need not agree, else this process'.
func (s *Store) Clock(ctx context.Context, tx *sql.Tx, process time.Time) (time.Time, error) {
	if !s.target.Postgres {
		return process, nil
	}
	var micros int64
	err := tx.QueryRowContext(ctx, s.sql.ServerClock).Scan(&micros)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the server's clock: %w", err)
	}
	return Instant(micros), nil
}

// Job is what is to be done about a row.
type Job struct {
	// ID is the job's own, 0 until it is reserved.
	ID                     int64
	DeletionID, Generation int64
	// At is when it is due; zero is at once.
	At             time.Time
	DryRun, Verify bool
	// Binding is the row's.
	Binding int64
}

// Enqueue inserts jobs and returns their ids, in the same order.
func (s *Store) Enqueue(ctx context.Context, tx *sql.Tx, jobs []Job) ([]int64, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	ids, err := s.reserve(ctx, tx, len(jobs))
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		jobs[i].ID = ids[i]
	}
	return ids, s.enqueue(ctx, tx, jobs)
}

// enqueue inserts jobs with the ids that were reserved for them.
func (s *Store) enqueue(ctx context.Context, tx *sql.Tx, jobs []Job) error {
	if len(jobs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		params[i] = j.params()
	}
	if _, err := s.Client.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	return nil
}

// reserve returns the ids of the next n jobs, so that a row can be written with the
// id of its job. On SQLite nobody else writes during tx.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, n int) ([]int64, error) {
	ids := make([]int64, 0, n)
	err := namedsql.Each(ctx, tx, func(row *sql.Rows) error {
		var id int64
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	}, s.sql.ReserveJobs, n)
	if err != nil {
		return nil, fmt.Errorf("reserve ids of jobs: %w", err)
	}
	return ids, nil
}

// Insert stores deletions with their jobs, and returns what was new. A repeat
// goes in once, because one statement may not meet itself; those that name
// another user than the first of their event go in with a second statement, which
// only they cost.
func (s *Store) Insert(ctx context.Context, tx *sql.Tx, deletions []deletion.Deletion, dryRun bool, now time.Time) (*Ledger, error) {
	l := newLedger(s.Key, s.Binding(), dryRun, len(deletions))
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
	job          int64 // the id of the job that it gets if it is new and not held
}

// insert stores the rows that are not there yet, and a job for each of them that
// nobody has to decide about first.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, l *Ledger, rows []insertion, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	ids, err := s.reserve(ctx, tx, len(rows))
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].job = ids[i]
	}
	if err := s.insertRows(ctx, tx, l, rows, now); err != nil {
		return err
	}
	var jobs []Job
	for _, row := range rows {
		if e := l.entries[row.key]; e.fresh && e.held == "" {
			jobs = append(jobs, Job{ID: row.job, DeletionID: e.id, Generation: 1, At: s.due(row.Deletion), DryRun: l.dryRun, Binding: l.binding})
		}
	}
	return s.enqueue(ctx, tx, jobs)
}

// due is when a new deletion is tried: zero is at once.
func (s *Store) due(d deletion.Deletion) time.Time {
	if s.GracePeriod == 0 {
		return time.Time{}
	}
	return d.ReceivedAt.Add(s.GracePeriod)
}

// insertedRow is what the statement InsertDeletions reads of one.
type insertedRow struct {
	IdempotencyKey string              `json:"idempotency_key"`
	Provider       string              `json:"provider"`
	EventID        string              `json:"event_id"`
	DryRun         bool                `json:"dry_run"`
	Variant        string              `json:"variant"`
	Source         deletion.Source     `json:"source"`
	Object         deletion.Object     `json:"object"`
	Instance       string              `json:"instance"`
	UserID         string              `json:"user_id"`
	ExternalID     string              `json:"external_id"`
	UnusableID     string              `json:"unusable_id"`
	OccurredAt     int64               `json:"occurred_at"`
	ReceivedAt     int64               `json:"received_at"`
	State          deletion.State      `json:"state"`
	HoldReason     deletion.HoldReason `json:"hold_reason"`
	HeldAt         int64               `json:"held_at"`
	JobID          int64               `json:"job_id"`
	NextTryAt      int64               `json:"next_try_at"`
	Binding        int64               `json:"binding"`

	Traceparent deletion.Traceparent `json:"traceparent"`
}

func (s *Store) insertRows(ctx context.Context, tx *sql.Tx, l *Ledger, all []insertion, now time.Time) error {
	rows := make([]insertedRow, len(all))
	for i, d := range all {
		row := insertedRow{
			IdempotencyKey: d.key, Provider: d.Provider, EventID: d.EventID, DryRun: l.dryRun, Variant: d.variant, Source: cmp.Or(d.Source, deletion.SourceWebhook), Object: cmp.Or(d.Object, deletion.ObjectUser),
			Instance: d.Instance, UserID: d.UserID, ExternalID: d.ExternalID, UnusableID: d.UnusableID,
			OccurredAt: Micros(d.OccurredAt), ReceivedAt: Micros(d.ReceivedAt), State: deletion.StateWaiting, JobID: d.job, NextTryAt: Micros(s.due(d.Deletion)), Binding: l.binding, Traceparent: d.Traceparent,
		}
		if d.Reconciled() {
			row.Source = deletion.SourceReconcile
		}
		if reason := heldFromTheStart(d.Deletion, d.variant); reason != "" {
			row.State, row.HoldReason, row.HeldAt, row.JobID, row.NextTryAt = deletion.StateHeld, reason, Micros(now), 0, 0
		}
		l.entries[d.key].held = row.HoldReason
		rows[i] = row
	}
	values, err := batch(rows)
	if err != nil {
		return err
	}
	return namedsql.Each(ctx, tx, func(row *sql.Rows) error {
		var id int64
		var key string
		if err := row.Scan(&id, &key); err != nil {
			return err
		}
		l.entries[key].id, l.entries[key].fresh = id, true
		return nil
	}, s.sql.InsertDeletions, values)
}

// readFirsts reads whom the first deletions of repeated events were about.
func (s *Store) readFirsts(ctx context.Context, tx *sql.Tx, l *Ledger, firsts []insertion) error {
	var known []string
	for _, row := range firsts {
		if !l.entries[row.key].fresh {
			known = append(known, row.key)
		}
	}
	if len(known) == 0 {
		return nil
	}
	keys, err := batch(known)
	if err != nil {
		return err
	}
	return namedsql.Each(ctx, tx, func(row *sql.Rows) error {
		var key string
		var first subject
		var redacted bool
		if err := row.Scan(&key, &first.userID, &first.externalID, &first.unusableID, &redacted); err != nil {
			return err
		}
		l.entries[key].subject, l.entries[key].anybody = first, redacted
		return nil
	}, s.sql.FirstsOfEvents, keys)
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
