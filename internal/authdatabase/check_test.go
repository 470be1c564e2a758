package authdatabase_test

import (
	"database/sql"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database"
)

// asked is the database as the role that `outbox sql` makes sees it.
func (a *auth) asked(t *testing.T, users authdatabase.Users) *authdatabase.Database {
	t.Helper()
	address, err := url.Parse(a.url)
	require.NoError(t, err)
	address.User = url.User("polar_bridge")
	return a.connected(t, address.String(), users)
}

func (a *auth) connected(t *testing.T, address string, users authdatabase.Users) *authdatabase.Database {
	t.Helper()
	db, err := database.Connect(address, 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	d, err := authdatabase.New(db, users)
	require.NoError(t, err)
	return d
}

// installed is Supabase's database with the printed SQL and three users.
func installed(t *testing.T, soft bool) (*auth, authdatabase.Users) {
	t.Helper()
	users := parse(t, "supabase", "")
	a := open(t, tables(authdatabase.Supabase))
	a.install(t, authdatabase.Installation{Users: users, Soft: soft})
	for _, id := range ids(users.Type) {
		a.run(t, "INSERT INTO auth.users VALUES ('"+id+"')")
	}
	return a, users
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, soft := range []bool{false, true} {
		t.Run("finds nothing wrong with what is printed, and leaves rows alone", func(t *testing.T) {
			t.Parallel()
			a, users := installed(t, soft)
			a.run(t, "DELETE FROM auth.users WHERE id = '"+ids(users.Type)[0]+"'")
			report, err := a.asked(t, users).Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Faults)
			require.Equal(t, soft, report.Soft)
			require.Contains(t, report.Instance, "@")
			require.Equal(t, []string{ids(users.Type)[0]}, a.outbox(t))
		})
	}
	const others = "Others may do something"
	for name, test := range map[string]struct{ admin, fault string }{
		"a disabled trigger":     {"ALTER TABLE auth.users DISABLE TRIGGER polar_bridge_deleted", "polar_bridge_deleted on \"auth\".\"users\" is missing or disabled"},
		"a trigger for replicas": {"ALTER TABLE auth.users ENABLE REPLICA TRIGGER polar_bridge_deleted", "polar_bridge_deleted on \"auth\".\"users\" is missing or disabled"},
		"all triggers off":       {"ALTER TABLE auth.users DISABLE TRIGGER ALL", "is missing or disabled"},
		"a missing trigger":      {"DROP TRIGGER polar_bridge_deleted ON auth.users", "is missing or disabled"},
		"a trigger on another table": {"DROP TRIGGER polar_bridge_deleted ON auth.users; CREATE TABLE auth.people (id uuid); " +
			"CREATE TRIGGER polar_bridge_deleted AFTER DELETE ON auth.people FOR EACH ROW EXECUTE FUNCTION polar_bridge.user_deleted()", "is missing or disabled"},
		"a trigger with a condition": {"CREATE OR REPLACE TRIGGER polar_bridge_deleted AFTER DELETE ON auth.users FOR EACH ROW WHEN (false) EXECUTE FUNCTION polar_bridge.user_deleted()", "is missing or disabled"},
		"a soft deletion unasked":    {"CREATE TRIGGER polar_bridge_soft_deleted AFTER UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION polar_bridge.user_deleted()", "Soft deletions are recorded but"},
		"another trigger function":   {"CREATE OR REPLACE FUNCTION polar_bridge.user_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS 'BEGIN RETURN NULL; END'", "polar_bridge.user_deleted in the auth database is not the one"},
		"another function":           {"CREATE OR REPLACE FUNCTION polar_bridge.done(ids uuid[]) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 0::bigint'", "polar_bridge.done in the auth database is not the one"},
		"the caller's rights":        {"ALTER FUNCTION polar_bridge.user_deleted() SECURITY INVOKER", "user_deleted lacks SECURITY DEFINER"},
		"the caller's search path":   {"ALTER FUNCTION polar_bridge.living(text[]) RESET search_path", "living lacks SECURITY DEFINER or SET search_path"},
		"a missing right":            {"REVOKE EXECUTE ON FUNCTION polar_bridge.done(uuid[]) FROM polar_bridge", "cannot be read and deleted"},
		"a unique key":               {"ALTER TABLE polar_bridge.outbox ADD PRIMARY KEY (id)", "because of the unique index outbox_pkey"},
		"a foreign key":              {"CREATE TABLE polar_bridge.t (id text PRIMARY KEY); ALTER TABLE polar_bridge.outbox ADD FOREIGN KEY (user_id) REFERENCES polar_bridge.t", "because of the constraint outbox_user_id_fkey"},
		"an unique index":            {"CREATE UNIQUE INDEX once ON polar_bridge.outbox (user_id)", "because of the unique index once"},
		"a trigger on the outbox":    {"CREATE TRIGGER notify BEFORE INSERT ON polar_bridge.outbox FOR EACH ROW EXECUTE FUNCTION polar_bridge.user_deleted()", "because of the trigger notify"},
		"row security on the outbox": {"ALTER TABLE polar_bridge.outbox FORCE ROW LEVEL SECURITY", "because of row security"},
		"a right of PUBLIC":          {"GRANT INSERT ON polar_bridge.outbox TO PUBLIC", others + " in the schema polar_bridge, or its role more than it should, and could have anybody's customer deleted: PUBLIC (outbox)"},
		"a right of another role":    {"GRANT EXECUTE ON FUNCTION polar_bridge.take(integer) TO anon", "anon (take)"},
		"a right to a column":        {"GRANT INSERT (user_id) ON polar_bridge.outbox TO anon", "anon (outbox)"},
		"a right to the schema":      {"GRANT CREATE ON SCHEMA polar_bridge TO anon", "anon (schema)"},
		"too many rights of ours":    {"GRANT INSERT ON polar_bridge.outbox TO polar_bridge", "polar_bridge (outbox)"},
		"a schema of ours":           {"GRANT CREATE ON SCHEMA polar_bridge TO polar_bridge", "polar_bridge (schema)"},
		"another owner":              {"ALTER TABLE polar_bridge.outbox OWNER TO anon", "What is there has several owners: anon, postgres."},
		"nobody in the table":        {"TRUNCATE auth.users", "Nobody can say who exists: the auth database has no user at all"},
	} {
		t.Run("finds "+name, func(t *testing.T) {
			t.Parallel()
			a, users := installed(t, false)
			a.role(t, "anon")
			a.run(t, test.admin)
			report, err := a.asked(t, users).Check(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, report.Faults)
			require.Contains(t, report.Faults[len(report.Faults)-1], test.fault, report.Faults)
		})
	}
	t.Run("finds that the administrator's own role is used", func(t *testing.T) {
		t.Parallel()
		a, users := installed(t, false)
		report, err := a.connected(t, a.url, users).Check(t.Context())
		require.NoError(t, err)
		require.Len(t, report.Faults, 2)
		require.Contains(t, report.Faults[0], `"postgres", owns what is there`)
		require.Contains(t, report.Faults[1], "postgres (everything)")
	})
	t.Run("finds that nothing is installed", func(t *testing.T) {
		t.Parallel()
		a := open(t, tables(authdatabase.Hanko))
		report, err := a.asked(t, parse(t, "hanko", "")).Check(t.Context())
		require.NoError(t, err)
		require.Contains(t, report.Faults[0], "has no function polar_bridge.living")
	})
}

func TestRehearse(t *testing.T) {
	t.Parallel()
	rehearse := func(t *testing.T, a *auth, users authdatabase.Users, id string) error {
		t.Helper()
		admin, err := sql.Open("pgx", a.url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, admin.Close()) })
		return a.asked(t, users).Rehearse(t.Context(), admin, id)
	}
	t.Run("deletes the user and nobody notices", func(t *testing.T) {
		t.Parallel()
		a, users := installed(t, false)
		require.NoError(t, rehearse(t, a, users, ids(users.Type)[0]))
		require.Empty(t, a.outbox(t))
		require.Equal(t, []string{"3"}, a.texts(t, "SELECT count(*)::text FROM auth.users"))
	})
	for name, test := range map[string]struct{ admin, id, sentence string }{
		"a disabled trigger":    {"ALTER TABLE auth.users DISABLE TRIGGER polar_bridge_deleted", ids(authdatabase.UUID)[0], "not recorded"},
		"a user who is not one": {"SELECT 1", "0b9f8a3e-4444-4c3a-9d9a-6a5f2f1c7a55", "does not know this user"},
		"an anonymous user":     {"UPDATE auth.users SET is_anonymous = true", ids(authdatabase.UUID)[0], "one of those who are left out"},
		"a function that finds everybody": {
			"CREATE OR REPLACE FUNCTION polar_bridge.living(ids text[]) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT pg_catalog.unnest(ids)'",
			ids(authdatabase.UUID)[0], "says that the deleted user exists",
		},
		"a reference to them": {"CREATE TABLE auth.sessions (user_id uuid REFERENCES auth.users); INSERT INTO auth.sessions SELECT id FROM auth.users", ids(authdatabase.UUID)[0], "SQLSTATE 23503"},
	} {
		t.Run("fails with "+name, func(t *testing.T) {
			t.Parallel()
			a, users := installed(t, false)
			a.run(t, test.admin)
			err := rehearse(t, a, users, test.id)
			require.ErrorIs(t, err, authdatabase.ErrRehearsal)
			require.ErrorContains(t, err, test.sentence)
			require.Equal(t, []string{"3"}, a.texts(t, "SELECT count(*)::text FROM auth.users"))
		})
	}
}
