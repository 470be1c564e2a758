package databasetest

import (
	"database/sql"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// RequireIndexes requires of each string field of statements, a struct, that its
// statement is carried out without reading the whole table, except of those that
// are named.
func RequireIndexes(t *testing.T, db *database.DB, table string, statements any, except ...string) {
	t.Helper()
	fields := reflect.ValueOf(statements)
	for i := range fields.NumField() {
		name, text := fields.Type().Field(i).Name, fields.Field(i).String()
		if text == "" || strings.Contains(" "+strings.Join(except, " ")+" ", " "+name+" ") {
			continue
		}
		plan := planOf(t, db, text)
		require.NotRegexp(t, `Filter: .*\b(deletion_)?id = ANY`, plan, "%s reads a whole index for a few rows:\n%s", name, plan)
		require.NotRegexp(t, `Seq Scan on `+table+`|SCAN (`+table+`|d|main\.`+table+`)( USING INDEX (polar_bridge_actions_deletion|sqlite_autoindex_\w+))?(\n|$)`, plan, "%s:\n%s", name, plan)
	}
}

// planOf returns the plan that fits any parameters.
func planOf(t *testing.T, db *database.DB, text string) string {
	t.Helper()
	parameters := 0
	for _, found := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		parameters = max(parameters, n)
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", parameters), ", ")
	if db.Dialect == database.SQLite {
		rows, err := db.Reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, make([]any, parameters)...)
		require.NoError(t, err, text)
		return lines(t, rows, 3)
	}
	tx, err := db.Main.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // nothing was changed
	if nulls != "" {
		nulls = "(" + nulls + ")"
	}
	for _, statement := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE planned AS " + text} {
		_, err := tx.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	rows, err := tx.QueryContext(t.Context(), "EXPLAIN EXECUTE planned"+nulls)
	require.NoError(t, err, text)
	plan := lines(t, rows, 0)
	_, err = tx.ExecContext(t.Context(), "DEALLOCATE planned")
	require.NoError(t, err)
	return plan
}

// lines reads the texts of a plan, which come after so many numbers.
func lines(t *testing.T, rows *sql.Rows, numbers int) string {
	t.Helper()
	defer rows.Close() //nolint:errcheck // only read
	var text strings.Builder
	for rows.Next() {
		columns := make([]any, numbers, numbers+1)
		for i := range columns {
			columns[i] = new(any)
		}
		var line string
		require.NoError(t, rows.Scan(append(columns, &line)...))
		fmt.Fprintln(&text, line)
	}
	require.NoError(t, rows.Err())
	return text.String()
}
