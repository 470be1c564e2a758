package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// A session that somebody left open holds the row that all replicas share.
func TestWhileTheRowOfTheRateLimitIsLocked(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.Postgres(t), "POLAR_RATE_LIMIT=6000")
	ids := env.addCustomers(1)
	env.bridge(t, 0, "migrate")
	db := databasetest.Handle(t, env.database)
	_, err := db.ExecContext(t.Context(), "INSERT INTO polar_bridge.polar_bridge_rate_limit (name) VALUES ('polar')")
	require.NoError(t, err)
	open, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = open.Rollback() }) // it may be over
	_, err = open.ExecContext(t.Context(), "UPDATE polar_bridge.polar_bridge_rate_limit SET failures = failures")
	require.NoError(t, err)

	for _, command := range []string{"stats", "list"} {
		begin := time.Now()
		p := env.launch(t, "deletions", command)
		require.Zero(t, p.command.ProcessState.ExitCode(), p.output())
		require.Less(t, time.Since(begin), 5*time.Second, "deletions %s needs no lock", command)
	}
	begin := time.Now()
	server := env.start(t)
	require.Less(t, time.Since(begin), 15*time.Second, "the start waits for a permit, and no longer")
	server.deliver(t, sign(t, "clerk", "msg_1", ids[0]), http.StatusAccepted)
	server.says(t, "another transaction may hold the row of polar_bridge_rate_limit")
	require.Zero(t, env.polar.Deleted(ids[0]))

	require.NoError(t, open.Rollback())
	env.waitDeleted(t, ids, 30*time.Second)
}
