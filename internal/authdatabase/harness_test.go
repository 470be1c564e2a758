package authdatabase_test

import (
	"context"
	"database/sql"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// parse returns the users that the settings name.
func parse(t *testing.T, schema, column string) authdatabase.Users {
	t.Helper()
	users, _, err := authdatabase.Parse(schema, column)
	require.NoError(t, err)
	return users
}

// auth is an auth system's database, and a connection to it as its administrator.
type auth struct {
	*sql.Conn

	url string
}

// open makes an auth system's database with its tables.
func open(t *testing.T, tables string) *auth {
	t.Helper()
	url := databasetest.Postgres(t)
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		require.NoError(t, db.Close())
	})
	a := &auth{conn, url}
	a.role(t, "polar_bridge")
	a.run(t, tables)
	return a
}

// install runs what `outbox sql` prints.
func (a *auth) install(t *testing.T, i authdatabase.Installation) {
	t.Helper()
	text, err := i.InstallSQL()
	require.NoError(t, err)
	a.run(t, text)
}

// run runs SQL, several statements too, as the role that is in force.
func (a *auth) run(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, a.try(t, text), text)
}

func (a *auth) try(t *testing.T, text string) error {
	t.Helper()
	_, err := a.ExecContext(t.Context(), text)
	return err
}

// code runs SQL that fails, and returns its SQLSTATE.
func (a *auth) code(t *testing.T, text string) string {
	t.Helper()
	var refused *pgconn.PgError
	require.ErrorAs(t, a.try(t, text), &refused, text)
	return refused.Code
}

// texts returns the one column that a query reads.
func (a *auth) texts(t *testing.T, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := a.QueryContext(t.Context(), query, args...)
	require.NoError(t, err, query)
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var one sql.NullString
		require.NoError(t, rows.Scan(&one))
		all = append(all, one.String)
	}
	require.NoError(t, rows.Err())
	return all
}

// outbox returns the users in it, in the order of their deletion.
func (a *auth) outbox(t *testing.T) []string {
	t.Helper()
	return a.texts(t, "SELECT user_id FROM polar_bridge.outbox ORDER BY deleted_at, user_id")
}

// as runs do as another role.
func (a *auth) as(t *testing.T, role string, do func()) {
	t.Helper()
	a.run(t, "SET ROLE "+role)
	defer func() {
		_, err := a.ExecContext(context.WithoutCancel(t.Context()), "RESET ROLE")
		require.NoError(t, err)
	}()
	do()
}

// role makes a role, which all databases of the test's server share.
func (a *auth) role(t *testing.T, name string) {
	t.Helper()
	a.run(t, "DO $$ BEGIN CREATE ROLE "+name+" LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
}
