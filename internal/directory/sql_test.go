package directory_test

import (
	"context"
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
)

const (
	alive = "0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55"
	gone  = "0b9f8a3e-2222-4c3a-9d9a-6a5f2f1c7a55"
)

// authSystem is an auth system's database with one user, of whom there is a directory.
type authSystem struct {
	*directory.SQL

	admin *sql.DB
	url   *url.URL
}

func supabase(t *testing.T) authdatabase.Users {
	t.Helper()
	users, _, err := authdatabase.Parse("supabase", "")
	require.NoError(t, err)
	return users
}

// newAuthSystem installs what `outbox sql` prints for Supabase. Pinned may be nil.
func newAuthSystem(t *testing.T, pinned *directory.PinnedInstance) *authSystem {
	t.Helper()
	address := databasetest.Postgres(t)
	admin, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	a := &authSystem{admin: admin, url: parsed}
	a.run(t, "DO $$ BEGIN CREATE ROLE polar_bridge LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
	a.run(t, "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false)")
	a.run(t, "INSERT INTO auth.users VALUES ('"+alive+"')")
	text, err := authdatabase.Installation{Users: supabase(t)}.InstallSQL()
	require.NoError(t, err)
	a.run(t, text)
	a.SQL = a.directory(t, supabase(t), pinned)
	return a
}

// directory asks as the role that `outbox sql` makes.
func (a *authSystem) directory(t *testing.T, users authdatabase.Users, pinned *directory.PinnedInstance) *directory.SQL {
	t.Helper()
	address := *a.url
	address.User = url.User("polar_bridge")
	db, err := database.Connect(address.String(), 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return ask(t, db, users, pinned)
}

func ask(t *testing.T, db *sql.DB, users authdatabase.Users, pinned *directory.PinnedInstance) *directory.SQL {
	t.Helper()
	auth, err := authdatabase.New(db, users)
	require.NoError(t, err)
	return directory.NewSQL(auth, pinned)
}

func (a *authSystem) run(t *testing.T, text string) {
	t.Helper()
	_, err := a.admin.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// requireAskAgain requires that nobody is said to be gone, one by one and in bulk.
func requireAskAgain(t *testing.T, d *directory.SQL, reason deletion.RetryReason, sentence string) {
	t.Helper()
	for _, id := range []string{alive, gone} {
		_, err := d.IsDeleted(t.Context(), id)
		var unanswered *directory.Error
		require.ErrorAs(t, err, &unanswered)
		require.Equal(t, reason, unanswered.Reason, err)
		require.ErrorContains(t, err, sentence)
	}
	_, err := d.Existing(t.Context(), []string{alive, gone})
	require.ErrorContains(t, err, sentence)
	confirmer := directory.NewConfirmer(map[string]directory.Source{"supabase": d.Source()}, true, received)
	decision := confirmer.Confirm(t.Context(), claim(gone))
	require.Equal(t, reason, as[deletion.Retry](t, decision).Reason)
}

// claim is an attempt at a deletion that a row of the outbox tells of.
func claim(id string) deletion.Attempt {
	return deletion.Attempt{Deletion: deletion.Deletion{
		Provider: "supabase", EventID: "e", UserID: id, ExternalID: id, Source: deletion.SourceOutbox, OccurredAt: received(), ReceivedAt: received(),
	}}
}

func TestSQL(t *testing.T) {
	t.Parallel()
	t.Run("says who exists", func(t *testing.T) {
		t.Parallel()
		a := newAuthSystem(t, nil)
		upper := "0B9F8A3E-1111-4C3A-9D9A-6A5F2F1C7A55"
		for id, want := range map[string]bool{alive: false, upper: false, gone: true} {
			answer, err := a.IsDeleted(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, answer.Deleted, id)
			require.Equal(t, want, answer.Instance != "", id)
		}
		existing, err := a.Existing(t.Context(), []string{gone, upper, alive})
		require.NoError(t, err)
		require.Equal(t, map[string]bool{alive: true, upper: true}, existing)
	})
	t.Run("says nothing about an id of another form", func(t *testing.T) {
		t.Parallel()
		a := newAuthSystem(t, nil)
		for _, id := range []string{"user_1", "", "0b9f8a3e", "{" + gone + "}", gone + " "} {
			require.False(t, a.Source().OwnsID(id), id)
			_, err := a.IsDeleted(t.Context(), id)
			require.ErrorContains(t, err, "none of its users", id)
		}
	})
	t.Run("asks again", func(t *testing.T) {
		t.Parallel()
		for name, test := range map[string]struct {
			admin    string // what an administrator does first
			reason   deletion.RetryReason
			sentence string
		}{
			"while row security is active for the owner": {
				`CREATE TABLE auth.copy AS TABLE auth.users; ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY; ALTER TABLE auth.users FORCE ROW LEVEL SECURITY;
				DO $$ BEGIN CREATE ROLE supabase_auth_admin; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
				GRANT USAGE ON SCHEMA auth TO supabase_auth_admin; GRANT USAGE, CREATE ON SCHEMA polar_bridge TO supabase_auth_admin; GRANT SELECT ON auth.users TO supabase_auth_admin;
				ALTER FUNCTION polar_bridge.living(text[]) OWNER TO supabase_auth_admin`,
				deletion.RetryDirectoryInconclusive, "row security",
			},
			"while there is no user at all":     {"DELETE FROM auth.users", deletion.RetryDirectoryInconclusive, "no user at all"},
			"while the function is missing":     {"DROP FUNCTION polar_bridge.living(text[])", deletion.RetryDirectoryInconclusive, "has no function polar_bridge.living"},
			"while the schema is missing":       {"DROP SCHEMA polar_bridge CASCADE", deletion.RetryDirectoryInconclusive, "has no function polar_bridge.living"},
			"while the function is another one": {"CREATE OR REPLACE FUNCTION polar_bridge.living(ids text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL WHERE false'", deletion.RetryDirectoryInconclusive, "not the one for AUTH_DATABASE_SCHEMA"},
			"while the table is missing":        {"ALTER TABLE auth.users RENAME TO people", deletion.RetryDirectoryInconclusive, "does not fit its tables"},
			"while the column has another type": {"ALTER TABLE auth.users ALTER id TYPE text", deletion.RetryDirectoryInconclusive, "does not fit its tables"},
			"while the role has no right":       {"REVOKE EXECUTE ON FUNCTION polar_bridge.living(text[]) FROM polar_bridge", deletion.RetryDirectoryUnauthorized, "refuses the role"},
			"while the role has no schema":      {"REVOKE USAGE ON SCHEMA polar_bridge FROM polar_bridge", deletion.RetryDirectoryUnauthorized, "refuses the role"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newAuthSystem(t, nil)
				a.run(t, test.admin)
				requireAskAgain(t, a.SQL, test.reason, test.sentence)
			})
		}
	})
	t.Run("asks again where the settings name another schema than was installed", func(t *testing.T) {
		t.Parallel()
		a := newAuthSystem(t, nil)
		users, _, err := authdatabase.Parse("supabase", "public.users.id::uuid")
		require.NoError(t, err)
		requireAskAgain(t, a.directory(t, users, nil), deletion.RetryDirectoryInconclusive, "not the one for AUTH_DATABASE_SCHEMA")
	})
	t.Run("asks again after the connection was lost", func(t *testing.T) {
		t.Parallel()
		server := databasetest.NewServer(t)
		address := server.URL()
		db, err := database.Connect(address, 1)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		require.NoError(t, db.PingContext(t.Context()))
		server.Stop(t)
		requireAskAgain(t, ask(t, db, supabase(t), nil), deletion.RetryDirectoryUnavailable, "does not answer")
	})
}

func TestSQLBelievesOneDatabaseOnly(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	pinned := &directory.PinnedInstance{Store: db, Provider: "supabase"}
	right, wrong := newAuthSystem(t, pinned), newAuthSystem(t, pinned)
	answer, err := right.IsDeleted(t.Context(), gone)
	require.NoError(t, err)
	require.True(t, answer.Deleted)
	requireAskAgain(t, wrong.SQL, deletion.RetryDirectoryOtherInstance, "whose users it does not know")
	accepted, err := wrong.Instance(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.SetInstance(t.Context(), "supabase", accepted))
	_, err = wrong.IsDeleted(t.Context(), gone)
	require.NoError(t, err)
}

func TestSQLDoesNotBelieveAReplica(t *testing.T) {
	t.Parallel()
	primary := databasetest.NewServer(t)
	admin, err := sql.Open("pgx", primary.URL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	text, err := authdatabase.Installation{Users: supabase(t)}.InstallSQL()
	require.NoError(t, err)
	for _, statement := range []string{"CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, deleted_at timestamptz, is_anonymous boolean)", "INSERT INTO auth.users VALUES ('" + alive + "')", text} {
		_, err := admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	replica := primary.Replica(t)
	db, err := database.Connect(replica.URL(), 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	requireAskAgain(t, ask(t, db, supabase(t), nil), deletion.RetryDirectoryInconclusive, "replica")
}

func TestARowOfTheOutboxIsAClaim(t *testing.T) {
	t.Parallel()
	a := newAuthSystem(t, nil)
	sources := map[string]directory.Source{"supabase": a.Source()}
	confirm := func(sources map[string]directory.Source, attempt deletion.Attempt) deletion.Decision {
		return directory.NewConfirmer(sources, true, received).Confirm(context.WithoutCancel(t.Context()), attempt)
	}
	t.Run("that is confirmed where CONFIRM is off too", func(t *testing.T) {
		t.Parallel()
		require.Nil(t, confirm(sources, claim(gone)))
		require.Equal(t, deletion.HoldUserExists, as[deletion.Hold](t, confirm(sources, claim(alive))).Reason, "at once: the row was committed with the deletion")
	})
	t.Run("that waits where nobody can be asked", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, deletion.RetryUnconfirmed, as[deletion.Retry](t, confirm(nil, claim(gone))).Reason)
	})
	t.Run("unlike a webhook of the same provider", func(t *testing.T) {
		t.Parallel()
		webhook := claim(alive)
		webhook.Source = deletion.SourceWebhook
		require.Nil(t, confirm(sources, webhook), "CONFIRM is off")
		on := directory.NewConfirmer(sources, false, func() time.Time { return received().Add(time.Hour) })
		require.Equal(t, deletion.HoldUserExists, as[deletion.Hold](t, on.Confirm(t.Context(), webhook)).Reason)
	})
}
