package database_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// elsewhere is the address with a search path that leads to no table of ours.
func elsewhere(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	query := parsed.Query()
	query.Set("search_path", "pg_catalog")
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func openSchema(t *testing.T, address, schema string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), address, schema)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), nil))
	return db
}

func TestTablesAreInTheirSchema(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	db := openSchema(t, elsewhere(t, address), "bridge_1")
	rows, err := db.Main.QueryContext(t.Context(), `SELECT DISTINCT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname LIKE 'river%' OR c.relname LIKE 'polar_bridge%'`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // only read
	var schemas []string
	for rows.Next() {
		var schema string
		require.NoError(t, rows.Scan(&schema))
		schemas = append(schemas, schema)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"bridge_1"}, schemas)

	// Another deployment in the same database has tables of its own.
	other, err := database.Open(t.Context(), address, "bridge_2")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	require.ErrorIs(t, other.CheckMigrated(t.Context()), database.ErrNotMigrated)
	require.NoError(t, other.Migrate(t.Context(), nil))
	mine, err := db.DigestKey(t.Context())
	require.NoError(t, err)
	theirs, err := other.DigestKey(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, mine, theirs)
	require.NoError(t, db.CheckExclusive(t.Context()))
}

func TestASchemaThatCannotBeOursIsRefused(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	for _, schema := range []string{"", "public", "pg_mine", "Bridge", "a-b", `a"b`, "1a", "user", "information_schema", "a23456789012345678901234567890123456789012"} {
		_, err := database.Open(t.Context(), address, schema)
		require.ErrorContains(t, err, "DATABASE_SCHEMA", schema)
	}
}

func TestASchemaThatOthersWriteInIsRefused(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	role, _ := as(t, address)
	admin, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	execute := func(statement string) {
		_, err := admin.Main.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	// As Supabase has it for its role anon in public.
	execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO " + role)
	execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO " + role)
	require.NoError(t, admin.Migrate(t.Context(), nil))

	err = admin.CheckExclusive(t.Context())
	require.ErrorIs(t, err, database.ErrShared)
	seen, inspectErr := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, inspectErr)
	require.ErrorIs(t, seen.Shared, database.ErrShared, "doctor says the same")
	grant(t, address, err.Error())
	require.NoError(t, admin.CheckExclusive(t.Context()))

	execute("GRANT USAGE ON SCHEMA polar_bridge TO " + role)
	execute("GRANT SELECT ON ALL TABLES IN SCHEMA polar_bridge TO " + role)
	require.NoError(t, admin.CheckExclusive(t.Context()), "others may read")
	execute("GRANT UPDATE (state) ON polar_bridge.polar_bridge_deletions TO " + role)
	require.ErrorContains(t, admin.CheckExclusive(t.Context()), role, "one column is enough")
	execute("REVOKE ALL ON ALL TABLES IN SCHEMA polar_bridge FROM " + role)
	execute("GRANT INSERT ON polar_bridge.river_job TO PUBLIC")
	require.ErrorContains(t, admin.CheckExclusive(t.Context()), "PUBLIC")
}

// It has a server of its own: who is in that group may write into every database.
func TestARoleThatMayWriteEverywhereIsRefused(t *testing.T) {
	t.Parallel()
	admin := databasetest.OpenMigrated(t, databasetest.NewServer(t).URL())
	execute := func(statement string) {
		_, err := admin.Main.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	execute("CREATE ROLE etl LOGIN")
	execute("CREATE ROLE loaders ROLE etl")
	require.NoError(t, admin.CheckExclusive(t.Context()))
	execute("GRANT pg_write_all_data TO loaders")
	err := admin.CheckExclusive(t.Context())
	require.ErrorIs(t, err, database.ErrShared)
	require.ErrorContains(t, err, "REVOKE pg_write_all_data FROM etl")
	execute("ALTER ROLE etl CREATEROLE")
	require.NoError(t, admin.CheckExclusive(t.Context()), "administrators may do anything")
	execute("ALTER ROLE etl NOCREATEROLE")
	execute("REVOKE pg_write_all_data FROM loaders")
	require.NoError(t, admin.CheckExclusive(t.Context()))
}

func TestASchemaWithJobsOfAnotherProgramIsRefused(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	insert := func(kind string) {
		_, err := db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge.river_job (kind, max_attempts, args) VALUES ($1, 1, '{}')", kind)
		require.NoError(t, err)
	}
	for _, kind := range []string{"polar_bridge_delete", "polar_bridge_dry_run", "polar_bridge_verify"} {
		insert(kind)
	}
	require.NoError(t, db.CheckExclusive(t.Context()))
	for _, kind := range []string{"invoices", "polar_bridge_dr", "polar_bridge_e", "zzz"} {
		insert(kind)
		require.ErrorContains(t, db.CheckExclusive(t.Context()), kind)
		_, err := db.Main.ExecContext(t.Context(), "DELETE FROM polar_bridge.river_job WHERE kind = $1", kind)
		require.NoError(t, err)
	}
}
