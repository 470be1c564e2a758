package database_test

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

//go:embed testdata/unreleased.sql
var unreleased string

// column is what a query finds.
func column(t *testing.T, db *database.DB, query string) []string {
	t.Helper()
	rows, err := db.Main.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all []string
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		all = append(all, one)
	}
	require.NoError(t, rows.Err())
	return all
}

// contents are the names of all tables, each with its rows.
func contents(t *testing.T, db *database.DB) map[string]int {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if db.Dialect == database.Postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	found := map[string]int{}
	for _, table := range column(t, db, query) {
		var n int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM %q", table)).Scan(&n))
		found[table] = n
	}
	return found
}

// makeUnreleased replaces our tables by those of a program from before 0.1.0.
func makeUnreleased(t *testing.T, db *database.DB) {
	t.Helper()
	for table := range contents(t, db) {
		if strings.HasPrefix(table, "polar_bridge_") {
			_, err := db.Main.ExecContext(t.Context(), "DROP TABLE "+table)
			require.NoError(t, err)
		}
	}
	_, err := db.Main.ExecContext(t.Context(), unreleased)
	require.NoError(t, err)
}

// Its deletions stand in River's jobs, which this program would finish unread.
func TestADatabaseOfAnUnreleasedProgramIsRefusedUnchanged(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		db := databasetest.OpenMigrated(t, url)
		makeUnreleased(t, db)
		before := contents(t, db)
		require.Equal(t, 1, before["polar_bridge_slots"])
		require.ErrorIs(t, db.CheckMigrated(t.Context()), database.ErrUnreleasedSchema)
		require.ErrorIs(t, db.Migrate(t.Context(), nil), database.ErrUnreleasedSchema)
		require.ErrorIs(t, db.CheckMigrated(t.Context()), database.ErrUnreleasedSchema, "also after it was tried")

		seen, err := database.Inspect(t.Context(), url, database.DefaultSchema)
		require.NoError(t, err, "the database answers")
		require.ErrorIs(t, seen.Schema, database.ErrUnreleasedSchema)
		require.Equal(t, before, contents(t, db))
	})
}

// No table of ours is made without the others.
func TestTheTablesOfAMigratedDatabase(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var ours []string
		for table := range contents(t, db) {
			if name, ok := strings.CutPrefix(table, "polar_bridge_"); ok {
				ours = append(ours, name)
			}
		}
		slices.Sort(ours)
		require.Equal(t, []string{
			"actions", "approvals", "bindings", "deletions", "leases", "migrations", "rate_limit", "settings", "sweep_candidates", "sweeps",
		}, ours)
	})
}
