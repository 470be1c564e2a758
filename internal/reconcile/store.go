package reconcile

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/polar"
)

// The phases of a sweep. They are stored.
const (
	phaseReading = "reading"
	phaseAsking  = "asking"
)

// What the provider said about a suspect. They are stored.
const (
	verdictGone   = "gone"
	verdictLiving = "living"
)

// suspectChunk is how many suspects are read at once.
const suspectChunk = 100

// sweep is how far one is; what is in JSON is stored as its progress.
type sweep struct {
	phase    string
	Position position `json:"position"`
	Counts   Counts   `json:"counts"`
}

// store keeps one provider's sweep. $1 is always the provider. The statements
// are the same for both dialects.
type store struct {
	db       *sql.DB
	provider string
	holder   string
	now      func() time.Time
	lease    time.Duration
}

func newStore(o Options) store {
	return store{db: o.DB, provider: o.Source.Provider, holder: rand.Text(), now: o.Now, lease: o.Lease}
}

// claim makes this process the one that sweeps, or keeps it so.
func (s store) claim(ctx context.Context) (bool, error) {
	if _, err := s.db.ExecContext(ctx, "INSERT INTO polar_bridge_sweeps (provider) VALUES ($1) ON CONFLICT (provider) DO NOTHING", s.provider); err != nil {
		return false, fmt.Errorf("claim the sweep: %w", err)
	}
	now := s.now()
	return changed(s.db.ExecContext(ctx, `UPDATE polar_bridge_sweeps SET
		attempted_at = CASE WHEN holder = $2 THEN attempted_at ELSE $3 END, holder = $2, leased_until = $4
		WHERE provider = $1 AND (holder = $2 OR leased_until <= $3)`,
		s.provider, s.holder, now.UnixMicro(), now.Add(s.lease).UnixMicro()))
}

// release lets others sweep at once.
func (s store) release(ctx context.Context) error {
	_, err := changed(s.db.ExecContext(ctx, "UPDATE polar_bridge_sweeps SET holder = '', leased_until = 0 WHERE provider = $1 AND holder = $2", s.provider, s.holder))
	return err
}

// resume returns the sweep to go on with, or begins one.
func (s store) resume(ctx context.Context, restart bool) (sweep, error) {
	current := sweep{phase: phaseReading}
	var startedAt int64
	var progress string
	err := s.db.QueryRowContext(ctx, "SELECT phase, started_at, progress FROM polar_bridge_sweeps WHERE provider = $1", s.provider).
		Scan(&current.phase, &startedAt, &progress)
	if err != nil {
		return sweep{}, fmt.Errorf("look for a sweep to go on with: %w", err)
	}
	recent := s.now().Sub(time.UnixMicro(startedAt)) < resumeWithin
	if current.phase != "" && recent && !restart && json.Unmarshal([]byte(progress), &current) == nil {
		_, err := s.db.ExecContext(ctx, "UPDATE polar_bridge_suspects SET verdict = '' WHERE provider = $1 AND judged_at < $2",
			s.provider, s.now().Add(-askAgain).UnixMicro())
		if err != nil {
			return sweep{}, fmt.Errorf("go on with a sweep: %w", err)
		}
		return current, nil
	}
	return sweep{phase: phaseReading}, s.inTransaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM polar_bridge_suspects WHERE provider = $1", s.provider); err != nil {
			return err
		}
		return s.own(tx.ExecContext(ctx, `UPDATE polar_bridge_sweeps SET phase = $3, started_at = $4, progress = '{}'
			WHERE provider = $1 AND holder = $2`, s.provider, s.holder, phaseReading, s.now().UnixMicro()))
	})
}

// save stores how far the sweep is together with the suspects found on the way.
func (s store) save(ctx context.Context, current sweep, suspects []polar.ListedCustomer) error {
	progress, err := json.Marshal(current)
	if err != nil {
		return fmt.Errorf("store the sweep's progress: %w", err)
	}
	return s.inTransaction(ctx, func(tx *sql.Tx) error {
		for _, c := range suspects {
			_, err := tx.ExecContext(ctx, `INSERT INTO polar_bridge_suspects (provider, customer_id, external_id, type, created_at)
				VALUES ($1, $2, $3, $4, $5) ON CONFLICT (provider, customer_id) DO NOTHING`,
				s.provider, c.ID, c.ExternalID, c.Type, c.CreatedAt.UnixMicro())
			if err != nil {
				return err
			}
		}
		return s.own(tx.ExecContext(ctx, "UPDATE polar_bridge_sweeps SET phase = $3, progress = $4 WHERE provider = $1 AND holder = $2",
			s.provider, s.holder, current.phase, string(progress)))
	})
}

// judge stores what the provider said about one suspect.
func (s store) judge(ctx context.Context, suspect Orphan, verdict string, at time.Time) error {
	subscriptions := -1
	if suspect.ActiveSubscriptions != nil {
		subscriptions = *suspect.ActiveSubscriptions
	}
	_, err := s.db.ExecContext(ctx, "UPDATE polar_bridge_suspects SET verdict = $3, judged_at = $4, subscriptions = $5, instance = $6 WHERE provider = $1 AND customer_id = $2",
		s.provider, suspect.CustomerID, verdict, at.UnixMicro(), subscriptions, suspect.Instance)
	if err != nil {
		return fmt.Errorf("store what is known of a suspect: %w", err)
	}
	return nil
}

// finish ends the sweep.
func (s store) finish(ctx context.Context, orphans int) error {
	return s.own(s.db.ExecContext(ctx, "UPDATE polar_bridge_sweeps SET phase = '', finished_at = $3, orphans = $4 WHERE provider = $1 AND holder = $2",
		s.provider, s.holder, s.now().UnixMicro(), orphans))
}

// abandon makes the next sweep begin anew.
func (s store) abandon(ctx context.Context) error {
	return s.own(s.db.ExecContext(ctx, "UPDATE polar_bridge_sweeps SET phase = '' WHERE provider = $1 AND holder = $2", s.provider, s.holder))
}

// count counts the suspects with one of the verdicts.
func (s store) count(ctx context.Context, verdict, other string) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM polar_bridge_suspects WHERE provider = $1 AND verdict IN ($2, $3)",
		s.provider, verdict, other).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count suspects: %w", err)
	}
	return n, nil
}

// unjudged returns some suspects that were not asked about yet.
func (s store) unjudged(ctx context.Context) ([]Orphan, error) {
	return s.suspects(ctx, "", Orphan{})
}

// each calls act for each orphan, the oldest first; act may use the database,
// of which SQLite has one connection.
func (s store) each(ctx context.Context, act func(Orphan) error) error {
	var last Orphan
	for {
		orphans, err := s.suspects(ctx, verdictGone, last)
		if err != nil || len(orphans) == 0 {
			return err
		}
		for _, last = range orphans {
			if err := act(last); err != nil {
				return err
			}
		}
	}
}

// suspects returns the next ones with the verdict after the last one.
func (s store) suspects(ctx context.Context, verdict string, last Orphan) (found []Orphan, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT customer_id, external_id, type, created_at, judged_at, subscriptions, instance
		FROM polar_bridge_suspects WHERE provider = $1 AND verdict = $2 AND (created_at, customer_id) > ($3, $4)
		ORDER BY created_at, customer_id LIMIT $5`,
		s.provider, verdict, last.CreatedAt.UnixMicro(), last.CustomerID, suspectChunk)
	if err != nil {
		return nil, fmt.Errorf("read suspects: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o Orphan
		var createdAt, judgedAt int64
		var subscriptions int
		if err := rows.Scan(&o.CustomerID, &o.ExternalID, &o.Type, &createdAt, &judgedAt, &subscriptions, &o.Instance); err != nil {
			return nil, fmt.Errorf("read a suspect: %w", err)
		}
		o.CreatedAt, o.goneAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(judgedAt).UTC()
		if subscriptions >= 0 {
			o.ActiveSubscriptions = &subscriptions
		}
		found = append(found, o)
	}
	return found, rows.Err()
}

func (s store) inTransaction(ctx context.Context, act func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("store the sweep: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := act(tx); err != nil {
		return fmt.Errorf("store the sweep: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store the sweep: %w", err)
	}
	return nil
}

// own makes an error of a change that touched nothing: the sweep is not ours.
func (s store) own(result sql.Result, err error) error {
	if ours, err := changed(result, err); err != nil || ours {
		return err
	}
	return errLost
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("store the sweep: %w", err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("store the sweep: %w", err)
	}
	return rows > 0, nil
}
