package authdatabase

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
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

// Database is the database of an auth system.
type Database struct {
	*sql.DB
	Users

	sql statements
	// bodies are those of the functions, without soft deletion and with it.
	bodies [2]map[string]string
}

// statements are the SQL that is run there, as it stands in sql.
type statements struct {
	Installed, Living, Take, Done                           string
	UnsafeFunctions, Triggers, Obstacles, Owners, Strangers string
}

// New returns the database that db is connected to, with these users. It asks nothing.
func New(db *sql.DB, users Users) (*Database, error) {
	d := &Database{DB: db, Users: users}
	if err := (namedsql.Target{Postgres: true, Schema: "polar_bridge"}).Load(files, &d.sql); err != nil {
		return nil, err
	}
	for i, soft := range []bool{false, users.SoftDeleted != ""} {
		d.bodies[i] = map[string]string{}
		for _, name := range append(executed(), "user_deleted") {
			body, err := Installation{users, soft}.render(name)
			if err != nil {
				return nil, err
			}
			d.bodies[i][name] = body
		}
	}
	return d, nil
}

// Living returns those of the ids, all of which OwnsID, that are users'; instance says
// which database was asked. Its errors are *Error: whatever might make a user look gone
// who is not, is one.
func (d *Database) Living(ctx context.Context, ids []string) (living map[string]bool, instance string, err error) {
	tx, err := d.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // all of it on one connection
	if err != nil {
		return nil, "", Explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // only read
	if instance, err = d.Verify(ctx, tx); err != nil {
		return nil, "", err
	}
	living = make(map[string]bool, len(ids))
	var id string
	err = query(d.sql.Living, ids).each(ctx, tx, func() { living[id] = true }, &id)
	return living, instance, err
}

// question is a query with its parameters.
type question struct {
	text string
	args []any
}

func query(text string, args ...any) question { return question{text, args} }

// each calls do for each row of the answer, which it has read into the fields. Its
// errors are *Error.
func (q question) each(ctx context.Context, tx *sql.Tx, do func(), fields ...any) error {
	return Explain(namedsql.Each(ctx, tx, func(row *sql.Rows) error {
		if err := row.Scan(fields...); err != nil {
			return err
		}
		do()
		return nil
	}, q.text, q.args...))
}

// Verify returns which database it is, unless the functions there are not those for its
// users. Its errors are *Error.
func (d *Database) Verify(ctx context.Context, tx *sql.Tx) (instance string, err error) {
	instance, found, err := d.installed(ctx, tx)
	if err != nil {
		return "", err
	}
	for _, name := range executed() {
		if err := d.verify(name, found[name]); err != nil {
			return "", err
		}
	}
	return instance, nil
}

// installed returns which database it is, and the bodies of its functions.
func (d *Database) installed(ctx context.Context, tx *sql.Tx) (instance string, found map[string]string, err error) {
	var name, body string
	found = map[string]string{}
	err = query(d.sql.Installed).each(ctx, tx, func() { found[name] = body }, &instance, &name, &body)
	return instance, found, err
}

// executed are the functions that the role executes.
func executed() []string { return []string{"living", "take", "done"} }

// verify refuses a function for another table than the settings name.
func (d *Database) verify(name, body string) error {
	switch body {
	case "":
		return problem(NotInstalled, "the database that AUTH_DATABASE_URL names has no function polar_bridge.%s: run there what polar-bridge outbox sql prints", name)
	case d.bodies[0][name], d.bodies[1][name]:
		return nil
	}
	return problem(NotInstalled, "polar_bridge.%s in the auth database is not the one for AUTH_DATABASE_SCHEMA and AUTH_DATABASE_USERS: run there what polar-bridge outbox sql prints now", name)
}
