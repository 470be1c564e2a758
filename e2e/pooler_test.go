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
func TestAllWorksThroughATransactionPooler(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.Pooler(t, databasetest.Postgres(t)))
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
		p.says(t, "transaction pooler")
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
	env.operateThroughAPooler(t, replicas[0])
	for _, p := range replicas {
		require.Zero(t, p.terminate(t), p.output())
	}
	env.start(t) // nobody has kept the migrations' lock
}

// operateThroughAPooler runs what operators run.
func (env *environment) operateThroughAPooler(t *testing.T, p *process) {
	t.Helper()
	require.Regexp(t, "ok +database .*transaction pooler", env.bridge(t, 0, "doctor"))
	env.bridge(t, 0, "migrate")
	env.bridge(t, 0, "deletions", "pause")
	paused := env.deliverWhilePaused(t, p)
	env.bridge(t, 0, "deletions", "resume")
	for i := range paused {
		env.deletion(t, fmt.Sprint("user_paused_", i), "done")
	}

	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_rejected", CreatedAt: longAgo()})
	env.polar.SetFaultFunc(onlyDeletes(rejected()))
	p.deliver(t, sign(t, "clerk", "msg_rejected", "user_rejected"), http.StatusAccepted)
	held := env.deletion(t, "user_rejected", "held")
	env.polar.ClearFaults()
	env.bridge(t, 0, "deletions", "retry", fmt.Sprint(held.ID))
	env.deletion(t, "user_rejected", "done")
	require.Contains(t, env.bridge(t, 0, "deletions", "stats"), "clerk")
	require.Equal(t, 61+paused+1, strings.Count(env.bridge(t, 0, "deletions", "export"), "\n"))
}

// deliverWhilePaused delivers events until one is kept waiting, and returns how
// many those were: without notifications a server notices a pause seconds later.
func (env *environment) deliverWhilePaused(t *testing.T, p *process) (delivered int) {
	t.Helper()
	require.Eventually(t, func() bool {
		id := fmt.Sprint("user_paused_", delivered)
		p.deliver(t, sign(t, "clerk", "msg_"+id, id), http.StatusAccepted)
		delivered++
		return strings.Contains(env.bridge(t, 0, "deletions", "list", "--external-id", id, "--json"), `"state":"waiting"`)
	}, 30*time.Second, 100*time.Millisecond)
	return delivered
}
