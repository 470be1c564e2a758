package e2e_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// stops runs serve, wants it to stop by itself, and returns what it said.
func (env *environment) stops(t *testing.T) string {
	t.Helper()
	p := env.launch(t, "serve")
	t.Cleanup(p.kill)
	require.Empty(t, p.webhooks, "it started")
	<-p.exited
	require.Equal(t, 1, p.command.ProcessState.ExitCode(), p.output())
	return p.output()
}

func TestADatabaseUserWhoMayMakeNoTablesIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	owners := databasetest.Postgres(t)
	env := newEnvironment(t, owners)
	parsed, err := url.Parse(owners)
	require.NoError(t, err)
	user := filepath.Base(parsed.Path) + "_user"
	owner := databasetest.Handle(t, owners)
	for _, statement := range []string{"CREATE ROLE " + user + " LOGIN PASSWORD 'marker'", "REVOKE ALL ON SCHEMA public FROM PUBLIC"} {
		_, err := owner.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	parsed.User = url.UserPassword(user, "marker")
	env.settings["DATABASE_URL"] = parsed.String()

	grant := "CREATE SCHEMA polar_bridge AUTHORIZATION " + user
	require.Regexp(t, "fault +database tables .*"+grant, env.bridge(t, 1, "doctor"))
	require.Contains(t, env.stops(t), grant)
	_, err = owner.ExecContext(t.Context(), grant)
	require.NoError(t, err)
	require.Regexp(t, "ok +database tables ", env.bridge(t, 0, "doctor"))
	env.start(t)
}

func TestADatabaseURLThatIsMisreadStopsTheStartAndIsNotPrinted(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://u:se@marker@127.0.0.1:1/db":                       "percent-encoded",
		"postgres://u:1/marker@127.0.0.1:1/db":                        "percent-encoded",
		"postgres://u:1?marker@127.0.0.1:1/db":                        "percent-encoded",
		"postgres://u:1#marker@127.0.0.1:1/db":                        "percent-encoded",
		"postgres://u:marker@127.0.0.1:1/db?sslmode=sometimes":        "correct sslmode",
		"postgres://u:marker@127.0.0.1:1/db?sslrootcert=/none/ca.crt": "/none/ca.crt: no such file",
		"sqlite://marker.db":                                          "names no host",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, address)
			require.Contains(t, env.stops(t), want)
			env.bridge(t, 1, "doctor")
			_, err := os.Stat("/marker.db")
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
