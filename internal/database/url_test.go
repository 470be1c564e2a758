package database_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

func TestAURLThatCannotBeReadIsExplainedWithoutWhatMayBeAPassword(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"":                                 "must begin with sqlite: or postgres://",
		"mysql://u:marker@h/db":            "must begin with sqlite: or postgres://",
		"sqlite:":                          "SQLite needs a file",
		"sqlite::memory:":                  "SQLite needs a file",
		"sqlite://marker.db":               "a SQLite URL names no host",
		"sqlite://localhost/var/marker.db": "a SQLite URL names no host",

		"postgres://u:se@marker@127.0.0.1:1/db":      "percent-encoded",
		"postgres://u:se@marker/word@127.0.0.1:1/db": "percent-encoded",
		"postgres://u:1/marker@127.0.0.1:1/db":       "percent-encoded",
		"postgres://u:1#marker@127.0.0.1:1/db":       "percent-encoded",
		"postgres://u:1?marker@127.0.0.1:1/db":       "percent-encoded",
		"postgres://u:pass#marker@127.0.0.1:1/db":    "percent-encoded",
		"postgres://u:pass/marker@127.0.0.1:1/db":    "percent-encoded",
		"postgres://u:pass%marker@127.0.0.1:1/db":    "percent-encoded",
		"postgres://u:marker@127.0.0.1:port/db":      "percent-encoded",

		"postgres://u:marker@127.0.0.1:1/db?sslmode=maybe":                           "correct sslmode",
		"postgres://u:marker@127.0.0.1:1/db?connect_timeout=long":                    "correct connect_timeout",
		"postgres://u:marker@127.0.0.1:1/db?default_query_exec_mode=quick":           "correct default_query_exec_mode",
		"postgres://u:marker@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/no/ca":  "open /no/ca: no such file",
		"postgres://u:marker@127.0.0.1:1/db?sslmode=require&sslcert=/no/c&sslkey=/k": ": no such file",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			_, err := database.Open(t.Context(), address, database.DefaultSchema)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "marker")
			_, err = database.Inspect(t.Context(), address, database.DefaultSchema)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "marker")
		})
	}
}

func TestThreeSlashesNameAFullPath(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "polar-bridge.db")
	db, err := database.Open(t.Context(), "sqlite://"+path, database.DefaultSchema)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = os.Stat(path)
	require.NoError(t, err)
}
