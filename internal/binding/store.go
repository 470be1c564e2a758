package binding

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
)

// First is the number of a database's first binding. What was accepted before
// anything was bound belongs to it.
const First = 1

// Identity is how a Polar is told apart.
type Identity struct {
	// Organization is Polar's id of it, "" when not known.
	Organization string
	// Address is where Polar is.
	Address string
	// Loopback says that it is on this machine, as a stub or a proxy is: such an
	// address alone binds nothing.
	Loopback bool
}

// Binding is a row of polar_bridge_bindings.
type Binding struct {
	ID                    int64
	Organization, Address string
	// Active says that the database belongs to it.
	Active bool

	token   string // keyed digest of the one that Polar has last answered
	askedAt time.Time
}

//go:embed sql
var statementFiles embed.FS

// Store keeps the bindings.
type Store struct {
	db  *sql.DB
	sql struct{ List, Insert, SetOrganization, SetAnswered, Active, Deactivate, Activate string }
}

// NewStore returns the Store of a migrated database.
func NewStore(db *sql.DB, target namedsql.Target) (*Store, error) {
	s := &Store{db: db}
	return s, target.Load(statementFiles, &s.sql)
}

// Querier is a database or a transaction.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Active returns the number of the binding that the database belongs to: First
// while it belongs to none.
func (s *Store) Active(ctx context.Context, from Querier) (id int64, err error) {
	err = from.QueryRowContext(ctx, s.sql.Active).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return First, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read which Polar organization the database belongs to: %w", err)
	}
	return id, nil
}

// Activate makes the database belong to the binding.
func (s *Store) Activate(ctx context.Context, tx *sql.Tx, id int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, s.sql.Deactivate, id)
	if err == nil {
		_, err = tx.ExecContext(ctx, s.sql.Activate, id, now.UnixMicro())
	}
	if err != nil {
		return fmt.Errorf("bind the database: %w", err)
	}
	return nil
}

// races is how often somebody else may come first.
const races = 5

var errRaces = errors.New("too many processes bind the database at once")

// Find returns the binding of that Polar, made when there is none. The first one
// of a database is active.
func (s *Store) Find(ctx context.Context, this Identity, now time.Time) (Binding, error) {
	for range races {
		all, err := s.list(ctx)
		if err != nil {
			return Binding{}, fmt.Errorf("read bindings: %w", err)
		}
		found, known := match(all, this)
		switch {
		case known && (this.Organization == "" || found.Organization == this.Organization):
			return found, nil
		case known: // its address stood in for the organization until now
			_, err = s.db.ExecContext(ctx, s.sql.SetOrganization, this.Organization, found.ID)
		default:
			_, err = s.db.ExecContext(ctx, s.sql.Insert, len(all)+First, this.Organization, this.Address, len(all) == 0, now.UnixMicro())
		}
		if err != nil {
			return Binding{}, fmt.Errorf("bind the database: %w", err)
		}
	}
	return Binding{}, errRaces
}

// answered notes that Polar has answered the token, by its digest.
func (s *Store) answered(ctx context.Context, id int64, token string, at time.Time) error {
	_, err := s.db.ExecContext(ctx, s.sql.SetAnswered, token, at.UnixMicro(), id)
	if err != nil {
		return fmt.Errorf("note that Polar has answered: %w", err)
	}
	return nil
}

// remembered finds the organization that has answered the token before.
func (s *Store) remembered(ctx context.Context, token string) (b Binding, known bool, err error) {
	all, err := s.list(ctx)
	for _, b := range all {
		if b.token == token && b.Organization != "" {
			return b, true, err
		}
	}
	return Binding{}, false, err
}

func (s *Store) list(ctx context.Context) (all []Binding, err error) {
	err = namedsql.Each(ctx, s.db, func(row *sql.Rows) error {
		var b Binding
		var asked int64
		err := row.Scan(&b.ID, &b.Organization, &b.Address, &b.Active, &b.token, &asked)
		b.askedAt = time.UnixMicro(asked)
		all = append(all, b)
		return err
	}, s.sql.List)
	return all, err
}

// match finds the binding of that Polar. Of several with its address the active
// one, or the last, is meant as long as nobody says which organization it is.
func match(all []Binding, this Identity) (found Binding, known bool) {
	if len(all) == 0 && this.Organization == "" && this.Loopback {
		return Binding{ID: First, Active: true}, true
	}
	for _, b := range all {
		switch {
		case this.Organization != "" && b.Organization == this.Organization:
			return b, true
		case b.Address != this.Address || this.Organization != "" && b.Organization != "" || found.Active:
		default:
			found, known = b, true
		}
	}
	return found, known
}
