package databasetest

import (
	"context"
	"database/sql"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Dump makes a backup of a Postgres database and returns its file.
func Dump(t testing.TB, address string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "dump")
	client(t, "pg_dump", "--format=custom", "--file="+file, address)
	return file
}

// Restore replaces the database by the backup, whoever is connected to it.
func Restore(t testing.TB, address, file string) {
	t.Helper()
	server, err := url.Parse(address)
	require.NoError(t, err)
	name := pgx.Identifier{strings.TrimPrefix(server.Path, "/")}.Sanitize()
	server.Path = "/postgres"
	admin, err := sql.Open("pgx", server.String())
	require.NoError(t, err)
	defer admin.Close() //nolint:errcheck // it is over
	for _, statement := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		_, err = admin.ExecContext(context.WithoutCancel(t.Context()), statement)
		require.NoError(t, err)
	}
	client(t, "pg_restore", "--exit-on-error", "--dbname="+address, file)
}

// client runs one of Postgres' programs.
func client(t testing.TB, name string, args ...string) {
	t.Helper()
	bin, err := serverBinaries()
	require.NoError(t, err)
	output, err := exec.CommandContext(t.Context(), filepath.Join(bin, name), args...).CombinedOutput() //nolint:gosec // our own arguments
	require.NoError(t, err, "%s", output)
}
