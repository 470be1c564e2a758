package authdatabase

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Problem says why the auth database did not do what it was asked to. The set is closed.
type Problem string

// The problems.
const (
	Unavailable  Problem = "unavailable"   // it cannot be reached, or has trouble of its own
	Refused      Problem = "refused"       // the role, its password or its rights are refused
	NotInstalled Problem = "not_installed" // its functions are missing, or not those of the settings
	Inconclusive Problem = "inconclusive"  // it cannot be believed about who exists
)

// Error is why. Its text is for people, and has no address, id or word of the server's.
type Error struct {
	Problem Problem
	Err     error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap implements the errors package's contract.
func (e *Error) Unwrap() error { return e.Err }

func problem(p Problem, format string, args ...any) *Error {
	return &Error{Problem: p, Err: fmt.Errorf(format, args...)}
}

// Explain makes an *Error of what a query returned; nil stays nil.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func Explain(err error) error {
	server, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return problem(Unavailable, "interrupted: %w", context.Canceled)
	case !answered:
		return problem(Unavailable, "the auth database does not answer")
	}
	switch code := server.Code; {
	case code == "PB001", code == "25006": // of living; read_only_sql_transaction
		return problem(Inconclusive, "AUTH_DATABASE_URL names a replica, which may lag or be cut off: name the primary")
	case code == "PB002":
		return problem(Inconclusive, "row security hides users from the owner of polar_bridge.living: an administrator to whom it does not apply must run what polar-bridge outbox sql prints")
	case code == "PB003":
		return problem(Inconclusive, "the auth database has no user at all: it is the wrong one, or was emptied")
	case code == "PB004":
		return problem(Inconclusive, "polar_bridge.living does not find a user who exists")
	case code == "42501", strings.HasPrefix(code, "28"): // insufficient_privilege, invalid authorization
		return problem(Refused, "the auth database refuses the role in AUTH_DATABASE_URL, or its rights (SQLSTATE %s)", code)
	case strings.HasPrefix(code, "42"), code == "3F000", code == "3D000": // undefined or mistyped; no such schema, database
		return problem(NotInstalled, "what polar-bridge outbox sql prints is not in the database that AUTH_DATABASE_URL names, or does not fit its tables (SQLSTATE %s)", code)
	default:
		return problem(Unavailable, "the auth database has trouble of its own (SQLSTATE %s)", code)
	}
}

// installed is what tells a database apart from others that have the same tables, and the
// functions in it.
const installed = `SELECT pg_catalog.current_database() || '@' || s.system_identifier, coalesce(f.proname::text, ''), coalesce(f.prosrc, '')
FROM pg_catalog.pg_control_system() AS s LEFT JOIN (
    SELECT p.proname, p.prosrc FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'polar_bridge'
) AS f ON true`

// Living returns those of the ids, all of which OwnsID, that are users'; instance says
// which database was asked. Its errors are *Error: whatever might make a user look gone
// who is not, is one.
func (u Users) Living(ctx context.Context, db *sql.DB, ids []string) (living map[string]bool, instance string, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // all of it on one connection
	if err != nil {
		return nil, "", Explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // only read
	if instance, err = u.Verify(ctx, tx); err != nil {
		return nil, "", err
	}
	rows, err := tx.QueryContext(ctx, "SELECT living FROM polar_bridge.living($1)", ids)
	if err != nil {
		return nil, "", Explain(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	living = make(map[string]bool, len(ids))
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, "", Explain(err)
		}
		living[id] = true
	}
	return living, instance, Explain(rows.Err())
}

// Verify returns which database it is, unless the functions there are not those for these
// users. Its errors are *Error.
func (u Users) Verify(ctx context.Context, tx *sql.Tx) (instance string, err error) {
	rows, err := tx.QueryContext(ctx, installed)
	if err != nil {
		return "", Explain(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	bodies := map[string]string{}
	for rows.Next() {
		var name, body string
		if err := rows.Scan(&instance, &name, &body); err != nil {
			return "", Explain(err)
		}
		bodies[name] = body
	}
	if err := rows.Err(); err != nil {
		return "", Explain(err)
	}
	return instance, u.verify(bodies)
}

// asked are the functions that the role executes.
func asked() []string { return []string{"living", "take", "done"} }

// verify refuses functions for another table than the settings name.
func (u Users) verify(bodies map[string]string) error {
	for _, name := range asked() {
		if bodies[name] == "" {
			return problem(NotInstalled, "the database that AUTH_DATABASE_URL names has no function polar_bridge.%s: run there what polar-bridge outbox sql prints", name)
		}
		if want, err := (Installation{Users: u}).render(name); err != nil || bodies[name] != want {
			soft, err := (Installation{Users: u, Soft: u.SoftDeleted != ""}).render(name)
			if err != nil || bodies[name] != soft {
				return problem(NotInstalled, "polar_bridge.%s in the auth database is not the one for AUTH_DATABASE_SCHEMA and AUTH_DATABASE_USERS: run there what polar-bridge outbox sql prints now", name)
			}
		}
	}
	return nil
}
