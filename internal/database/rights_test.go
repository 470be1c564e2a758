package database_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// as makes a user who owns nothing and returns the address for it.
func as(t *testing.T, address string) (user, theirs string) {
	t.Helper()
	owner, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, owner.Close()) }()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	user = strings.TrimPrefix(parsed.Path, "/") + "_user"
	for _, statement := range []string{"CREATE ROLE " + user + " LOGIN PASSWORD 'marker'", "REVOKE ALL ON SCHEMA public FROM PUBLIC", "GRANT USAGE ON SCHEMA public TO " + user} {
		_, err := owner.Main.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	parsed.User = url.UserPassword(user, "marker")
	return user, parsed.String()
}

func grant(t *testing.T, address, why string) {
	t.Helper()
	owner, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, owner.Close()) }()
	_, statements, found := strings.Cut(why, "runs: ")
	require.True(t, found, why)
	_, err = owner.Main.ExecContext(t.Context(), statements)
	require.NoError(t, err)
}

func TestAUserWhoMayMakeNoTablesIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	user, theirs := as(t, address)
	seen, err := database.Inspect(t.Context(), theirs, database.DefaultSchema)
	require.NoError(t, err)
	require.ErrorIs(t, seen.Refused, database.ErrRefused)
	want := "CREATE SCHEMA polar_bridge AUTHORIZATION " + user
	require.ErrorContains(t, seen.Refused, want)

	db, err := database.Open(t.Context(), theirs, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.ErrorContains(t, db.Migrate(t.Context(), nil), want, "serve says the same")
	grant(t, address, seen.Refused.Error())
	require.NoError(t, db.Migrate(t.Context(), nil))
}

func TestAUserWhoMayNotWriteTheTablesIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	databasetest.OpenMigrated(t, address)
	_, theirs := as(t, address)
	seen, err := database.Inspect(t.Context(), theirs, database.DefaultSchema)
	require.NoError(t, err)
	require.ErrorContains(t, seen.Refused, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA polar_bridge TO ")
	grant(t, address, seen.Refused.Error())
	seen, err = database.Inspect(t.Context(), theirs, database.DefaultSchema)
	require.NoError(t, err)
	require.NoError(t, seen.Refused)
	require.NoError(t, seen.Schema)
	db, err := database.Open(t.Context(), theirs, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.DigestKey(t.Context())
	require.NoError(t, err)
}
