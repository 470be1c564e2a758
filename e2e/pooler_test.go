package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// PgBouncer in transaction mode is the address that Supabase, Neon and Railway
// show first: it knows no LISTEN, no session's lock, and no prepared statement.
func TestAllWorksThrough(t *testing.T) {
	t.Parallel()
	const polled = "asks? for work once a second|work is asked for once a second"
	for name, tt := range map[string]struct {
		between func(t *testing.T, direct string) string
		said    string
	}{
		"a transaction pooler": {func(t *testing.T, direct string) string { t.Helper(); return databasetest.Pooler(t, direct) }, "transaction pooler.*(" + polled + ")"},
		"a session pooler": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.Pooler(t, direct, "pool_mode = session", "default_pool_size = 100")
		}, ""},
		"an engine that refuses LISTEN": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.WithoutListen(t, direct, databasetest.ListenRefused)
		}, "no notifications.*(" + polled + ")"},
		"an engine that ignores LISTEN": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.WithoutListen(t, direct, databasetest.ListenIgnored)
		}, "no notifications.*(" + polled + ")"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testThrough(t, newEnvironment(t, tt.between(t, databasetest.Postgres(t))), tt.said)
		})
	}
}

// testThrough lets three replicas work, of which the log and doctor say what stands
// between them and the database.
func testThrough(t *testing.T, env *environment, said string) {
	t.Helper()
	ids := env.addCustomers(60)

	replicas := make([]*process, 3) // which migrate at once
	var starting sync.WaitGroup
	for i := range replicas {
		starting.Go(func() { replicas[i] = env.launch(t, "serve") })
	}
	starting.Wait()
	for _, p := range replicas {
		t.Cleanup(p.kill)
		require.NotEmpty(t, p.webhooks, p.output())
		require.Regexp(t, said, p.output())
		require.InDelta(t, 10, p.metric(t, `go_sql_max_open_connections{db_name="main"}`), 0, "docs/scale-out.md says so")
	}
	var sending sync.WaitGroup
	for i, id := range ids {
		d := sign(t, "clerk", fmt.Sprint("msg_", i), id)
		sending.Go(func() {
			if status, text := replicas[i%3].post(t.Context(), http.DefaultClient, d); status != http.StatusAccepted {
				t.Error(status, text)
			}
		})
	}
	sending.Wait()
	env.waitDeleted(t, ids, 30*time.Second)
	for _, p := range replicas {
		require.Equal(t, http.StatusOK, p.get(t, "/readyz"))
		require.NotContains(t, p.output(), `"level":"error"`)
	}
	require.Regexp(t, "ok +database .*"+said, env.bridge(t, 0, "doctor"))
	env.operate(t, replicas[0])
	for _, p := range replicas {
		require.Zero(t, p.terminate(t), p.output())
	}
	env.start(t) // nobody has kept the migrations' lock
}

// operate runs what operators run.
func (env *environment) operate(t *testing.T, p *process) {
	t.Helper()
	env.bridge(t, 0, "migrate")
	env.bridge(t, 0, "deletions", "pause")
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_paused", CreatedAt: longAgo()})
	asked := env.calls()
	p.deliver(t, sign(t, "clerk", "msg_paused", "user_paused"), http.StatusAccepted)
	<-time.After(1500 * time.Millisecond) // it would have been asked for meanwhile
	env.deletion(t, "user_paused", "waiting")
	require.Equal(t, asked, env.calls(), "no attempt begins after the command has returned")
	env.bridge(t, 0, "deletions", "resume")
	env.deletion(t, "user_paused", "done")

	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_rejected", CreatedAt: longAgo()})
	env.polar.SetFaultFunc(onlyDeletes(rejected()))
	p.deliver(t, sign(t, "clerk", "msg_rejected", "user_rejected"), http.StatusAccepted)
	held := env.deletion(t, "user_rejected", "held")
	env.polar.ClearFaults()
	env.bridge(t, 0, "deletions", "retry", fmt.Sprint(held.ID))
	env.deletion(t, "user_rejected", "done")
	require.Contains(t, env.bridge(t, 0, "deletions", "stats"), "clerk")
	require.Equal(t, 63, strings.Count(env.bridge(t, 0, "deletions", "export"), "\n"))
}
