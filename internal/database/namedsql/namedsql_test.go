package namedsql_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
)

func files(shared, sqlite, postgres string) fs.FS {
	return fstest.MapFS{"sql/shared.sql": {Data: []byte(shared)}, "sql/sqlite.sql": {Data: []byte(sqlite)}, "sql/postgres.sql": {Data: []byte(postgres)}}
}

func TestStatementsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	var got struct {
		Find, Clock string
		Lock        string `only:"postgres"`
	}
	all := files("-- Told.\n\n-- what it finds\n-- name: Find\nSELECT 1\nFROM {schema}.t\n", "-- name: Clock\nSELECT 2\n", "-- name: Clock\nSELECT 3\n\n-- name: Lock\nSELECT 4\n")
	require.NoError(t, namedsql.Target{Schema: "main"}.Load(all, &got))
	require.Equal(t, "SELECT 1\nFROM main.t", got.Find)
	require.Equal(t, "SELECT 2", got.Clock)
	require.Empty(t, got.Lock)
	require.NoError(t, namedsql.Target{Postgres: true, Schema: "bridge"}.Load(all, &got))
	require.Equal(t, "SELECT 1\nFROM bridge.t", got.Find)
	require.Equal(t, "SELECT 4", got.Lock)
}

func TestAStatementThatIsMissingUnusedOrTwiceThereIsAnError(t *testing.T) {
	t.Parallel()
	var into struct{ Find string }
	load := func(shared, sqlite string) error {
		return namedsql.Target{Schema: "main"}.Load(files(shared, sqlite, ""), &into)
	}
	require.ErrorContains(t, load("", ""), "no SQL statement Find")
	require.ErrorContains(t, load("-- name: Find\nSELECT 1\n-- name: Other\nSELECT 1\n", ""), "nobody uses: [Other]")
	require.ErrorContains(t, load("-- name: Find\nSELECT 1\n", "-- name: Find\nSELECT 1\n"), "second SQL statement Find")
}

// TestEveryStatementNamesTheSchema reads the program's own files: behind a pooler no
// search path can be relied on.
func TestEveryStatementNamesTheSchema(t *testing.T) {
	t.Parallel()
	var read int
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sql") || filepath.Base(filepath.Dir(path)) != "sql" {
			return err
		}
		read++
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for n, line := range strings.Split(string(content), "\n") {
			table := regexp.MustCompile(`(FROM|JOIN|INTO|UPDATE) (polar_bridge|river)_`)
			require.False(t, !strings.HasPrefix(line, "--") && table.MatchString(line), "%s:%d: %s", path, n+1, line)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, read, 5)
}

// TestEveryStatementIsUsed looks for each name in the Go files of its package.
func TestEveryStatementIsUsed(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`(?m)^-- name: (\w+)$`)
	for _, folder := range []string{"../../queue", "../../queue/ops", "../../ratelimit", "../../reconcile", ".."} {
		var code strings.Builder
		sources, err := filepath.Glob(folder + "/*.go")
		require.NoError(t, err)
		for _, source := range sources {
			if !strings.HasSuffix(source, "_test.go") {
				content, err := os.ReadFile(source)
				require.NoError(t, err)
				code.Write(content)
			}
		}
		statements, err := filepath.Glob(folder + "/sql/*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, statements)
		for _, path := range statements {
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, name := range names.FindAllStringSubmatch(string(content), -1) {
				require.Regexp(t, `sql\.`+name[1]+`\b`, code.String(), "%s: nobody uses %s", path, name[1])
			}
		}
	}
}
