package e2e_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// authDatabase is the database of Better Auth, on a server that may be stopped.
type authDatabase struct {
	*sql.DB

	url *url.URL // as its administrator
}

// newAuthDatabase makes Better Auth's table of users there. What `outbox sql` prints is
// not run yet.
func newAuthDatabase(t *testing.T, address string) *authDatabase {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	a := &authDatabase{databasetest.Handle(t, address), parsed}
	a.run(t, `CREATE TABLE IF NOT EXISTS public."user" (id text PRIMARY KEY, "isAnonymous" boolean)`)
	a.run(t, "DO $$ BEGIN CREATE ROLE polar_bridge LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
	return a
}

// withAuthDatabase is an environment that asks Better Auth's database, in which the
// printed SQL was run.
func withAuthDatabase(t *testing.T, database, auth string, settings ...string) (*environment, *authDatabase) {
	t.Helper()
	a := newAuthDatabase(t, auth)
	bridge := *a.url
	bridge.User = url.UserPassword("polar_bridge", "marker-password")
	env := newEnvironment(t, database, append([]string{"AUTH_DATABASE_URL=" + bridge.String(), "AUTH_DATABASE_SCHEMA=better-auth"}, settings...)...)
	a.run(t, env.bridge(t, 0, "outbox", "sql"))
	return env, a
}

func (a *authDatabase) run(t *testing.T, text string, args ...any) {
	t.Helper()
	_, err := a.ExecContext(t.Context(), text, args...)
	require.NoError(t, err, text)
}

// fails runs a command that fails, and returns what it said about that.
func (env *environment) fails(t *testing.T, args ...string) string {
	t.Helper()
	command := env.command(t, args...)
	output, err := command.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, command.ProcessState.ExitCode(), "%s", output)
	require.NotContains(t, string(output), "marker")
	return string(output)
}

// populate adds customers and their users.
func (a *authDatabase) populate(t *testing.T, env *environment, customers int) (ids []string) {
	t.Helper()
	for i := range customers {
		id := fmt.Sprintf("Zu%05d", i)
		ids = append(ids, id)
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo().Add(time.Duration(i) * time.Second), ActiveSubscriptions: 1})
	}
	a.run(t, `INSERT INTO public."user" (id) SELECT unnest($1::text[])`, ids)
	return ids
}

func TestReconcileBySQL(t *testing.T) {
	t.Parallel()
	t.Run("finds and deletes exactly the 50 of 10,000 who are gone", func(t *testing.T) {
		t.Parallel()
		env, a := withAuthDatabase(t, databasetest.SQLite(t), databasetest.Postgres(t))
		ids := a.populate(t, env, 10000)
		a.run(t, "DROP FUNCTION polar_bridge.user_deleted() CASCADE") // nobody tells of it
		var gone []string
		for i := 100; i < len(ids); i += 200 {
			gone = append(gone, ids[i])
		}
		require.Len(t, gone, 50)
		a.run(t, `DELETE FROM public."user" WHERE id = ANY ($1)`, gone)
		p := env.start(t)
		require.Equal(t, gone, found(t, env.bridge(t, 0, "reconcile", "--provider", "better-auth", "--json")))
		require.Zero(t, env.deletes(), "nothing is deleted without --apply")
		require.Equal(t, gone, found(t, env.bridge(t, 0, "reconcile", "--provider", "better-auth", "--json", "--apply", "--sole-instance")))
		env.waitDeleted(t, gone, time.Minute)
		require.Len(t, env.polar.Customers(), 9950)
		require.NotContains(t, p.output(), `"level":"error"`)
	})
	t.Run("refuses where most who are asked about do not exist, whatever --max-share allows", func(t *testing.T) {
		t.Parallel()
		env, a := withAuthDatabase(t, databasetest.SQLite(t), databasetest.Postgres(t))
		a.populate(t, env, 40)
		env.bridge(t, 0, "migrate")
		for i := range 40 {
			env.polar.AddCustomer(polartest.Customer{ExternalID: fmt.Sprintf("another-system-%d", i), CreatedAt: longAgo()})
		}
		said := env.fails(t, "reconcile", "--provider", "better-auth", "--apply", "--sole-instance", "--max-share", "100%")
		require.Contains(t, said, "40 of 80 users are not at the provider, and its ids look like those of others")
	})
	t.Run("says why nothing is concluded", func(t *testing.T) {
		t.Parallel()
		env, a := withAuthDatabase(t, databasetest.SQLite(t), databasetest.Postgres(t))
		a.populate(t, env, 10)
		env.bridge(t, 0, "migrate")
		a.run(t, `TRUNCATE public."user"`)
		require.Contains(t, env.fails(t, "reconcile", "--provider", "better-auth"), "the auth database has no user at all")
	})
}
