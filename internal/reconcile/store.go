package reconcile

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/polar"
)

// The phases of a sweep. They are stored.
const (
	phaseReading  = "reading"
	phaseChecking = "checking"
)

// What the provider said about a candidate. They are stored.
const (
	statusUnchecked = ""
	statusDeleted   = "deleted"
	statusExists    = "exists"
)

// chunkSize is how many candidates are read from the database, and handed to the
// queue, at once.
const chunkSize = 100

// sweep is how far one is; what is in JSON is stored as its progress.
type sweep struct {
	phase    string
	Position position `json:"position"`
	Counts   Counts   `json:"counts"`
}

//go:embed sql
var statementFiles embed.FS

// statements are the SQL of sweeps, as it stands in sql.
type statements struct {
	MakeSweep, Claim, ReleaseClaim                    string
	Sweep, Begin, Save, Finish, Abandon, Last         string
	AddCandidate, Record, Candidates, CountCandidates string
	CheckAgain, RemoveCandidates                      string
	SaveMapping, LastMapping                          string
}

// store keeps one provider's sweep.
type store struct {
	sql      statements
	db       *sql.DB
	provider string
	holder   string
	now      func() time.Time
	lease    time.Duration
}

func newStore(o Options) (store, error) {
	s := store{db: o.DB, provider: o.Source.Provider, holder: rand.Text(), now: o.Now, lease: o.Lease}
	return s, o.SQL.Load(statementFiles, &s.sql)
}

// claim makes this process the one that sweeps, or keeps it so.
func (s store) claim(ctx context.Context) (bool, error) {
	if _, err := s.db.ExecContext(ctx, s.sql.MakeSweep, s.provider); err != nil {
		return false, fmt.Errorf("claim the sweep: %w", err)
	}
	now := s.now()
	return changed(s.db.ExecContext(ctx, s.sql.Claim,
		s.provider, s.holder, now.UnixMicro(), now.Add(s.lease).UnixMicro()))
}

// release lets others sweep at once.
func (s store) release(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, s.sql.ReleaseClaim, s.provider, s.holder)
	return err
}

// resume returns the interrupted sweep, or begins one.
func (s store) resume(ctx context.Context, restart bool) (sweep, error) {
	var current sweep
	var startedAt int64
	var progress string
	err := s.db.QueryRowContext(ctx, s.sql.Sweep, s.provider).
		Scan(&current.phase, &startedAt, &progress)
	if err != nil {
		return sweep{}, fmt.Errorf("look for an interrupted sweep: %w", err)
	}
	recent := s.now().Sub(time.UnixMicro(startedAt)) < resumeWithin
	if current.phase != "" && recent && !restart && json.Unmarshal([]byte(progress), &current) == nil {
		_, err := s.db.ExecContext(ctx, s.sql.CheckAgain,
			s.provider, s.now().Add(-recheckAfter).UnixMicro())
		if err != nil {
			return sweep{}, fmt.Errorf("resume the sweep: %w", err)
		}
		return current, nil
	}
	return sweep{phase: phaseReading}, s.inTransaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.sql.RemoveCandidates, s.provider); err != nil {
			return err
		}
		return requireHeld(tx.ExecContext(ctx, s.sql.Begin, s.provider, s.holder, phaseReading, s.now().UnixMicro()))
	})
}

// save stores how far the sweep is together with the candidates found on the way.
func (s store) save(ctx context.Context, current sweep, candidates []polar.ListedCustomer) error {
	progress, err := json.Marshal(current)
	if err != nil {
		return fmt.Errorf("store the sweep's progress: %w", err)
	}
	return s.inTransaction(ctx, func(tx *sql.Tx) error {
		for _, c := range candidates {
			_, err := tx.ExecContext(ctx, s.sql.AddCandidate,
				s.provider, c.ID, c.ExternalID, c.Type, c.CreatedAt.UnixMicro())
			if err != nil {
				return err
			}
		}
		return requireHeld(tx.ExecContext(ctx, s.sql.Save,
			s.provider, s.holder, current.phase, string(progress)))
	})
}

// record stores what the provider said about one candidate.
func (s store) record(ctx context.Context, candidate Orphan, status string) error {
	subscriptions := -1
	if candidate.ActiveSubscriptions != nil {
		subscriptions = *candidate.ActiveSubscriptions
	}
	_, err := s.db.ExecContext(ctx, s.sql.Record,
		s.provider, candidate.CustomerID, status, candidate.checkedAt.UnixMicro(), subscriptions, candidate.Instance)
	if err != nil {
		return fmt.Errorf("store the status of a candidate: %w", err)
	}
	return nil
}

// finish ends the sweep.
func (s store) finish(ctx context.Context, orphans int) error {
	return requireHeld(s.db.ExecContext(ctx, s.sql.Finish,
		s.provider, s.holder, s.now().UnixMicro(), orphans))
}

// abandon makes the next sweep start over.
func (s store) abandon(ctx context.Context) error {
	return requireHeld(s.db.ExecContext(ctx, s.sql.Abandon, s.provider, s.holder))
}

// last returns the last sweep that was completed, and what is known of the newest one.
func (s store) last(ctx context.Context) (last Last, err error) {
	var finished, begun, leasedUntil int64
	var phase string
	err = s.db.QueryRowContext(ctx, s.sql.Last, s.provider).
		Scan(&finished, &last.Orphans, &begun, &leasedUntil, &phase)
	if errors.Is(err, sql.ErrNoRows) {
		return Last{}, nil
	}
	if err != nil {
		return Last{}, fmt.Errorf("look for the last sweep: %w", err)
	}
	if finished > 0 {
		last.FinishedAt = time.UnixMicro(finished)
	}
	last.BegunAt = time.UnixMicro(begun)
	switch {
	case begun <= finished, leasedUntil > s.now().UnixMicro():
	case phase == "":
		last.Incomplete = "was refused"
	default:
		last.Incomplete = "failed or was interrupted"
	}
	return last, nil
}

// count counts the candidates that were asked about, and those of them who were
// deleted.
func (s store) count(ctx context.Context) (checked, deleted int, err error) {
	err = s.db.QueryRowContext(ctx, s.sql.CountCandidates, s.provider).Scan(&checked, &deleted)
	if err != nil {
		return 0, 0, fmt.Errorf("count candidates: %w", err)
	}
	return checked, deleted, nil
}

// next returns a chunk of the candidates with the status, the oldest first, after
// the last one.
func (s store) next(ctx context.Context, status string, last Orphan) (found []Orphan, err error) {
	err = namedsql.Each(ctx, s.db, func(row *sql.Rows) error {
		var o Orphan
		var createdAt, checkedAt int64
		var subscriptions int
		err := row.Scan(&o.CustomerID, &o.ExternalID, &o.Type, &createdAt, &checkedAt, &subscriptions, &o.Instance)
		o.CreatedAt, o.checkedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(checkedAt).UTC()
		if subscriptions >= 0 {
			o.ActiveSubscriptions = &subscriptions
		}
		found = append(found, o)
		return err
	}, s.sql.Candidates, s.provider, status, last.CreatedAt.UnixMicro(), last.CustomerID, chunkSize)
	if err != nil {
		return nil, fmt.Errorf("read candidates: %w", err)
	}
	return found, nil
}

func (s store) inTransaction(ctx context.Context, act func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store the sweep: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err = act(tx); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("store the sweep: %w", err)
	}
	return nil
}

// requireHeld makes an error of a change that touched nothing: another process holds
// the sweep.
func requireHeld(result sql.Result, err error) error {
	if ours, err := changed(result, err); err != nil || ours {
		return err
	}
	return errLost
}

func changed(result sql.Result, err error) (bool, error) {
	var rows int64
	if err == nil {
		rows, err = result.RowsAffected()
	}
	if err != nil {
		return false, fmt.Errorf("store the sweep: %w", err)
	}
	return rows > 0, nil
}
