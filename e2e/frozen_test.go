package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// frozenFor is longer than it takes until a job of a dead process is taken back.
const frozenFor = time.Minute

// freeze stops the process as it stands, as a debugger, a full host or a suspended
// machine does, and returns what lets it go on.
func (p *process) freeze(t *testing.T) (thaw func()) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGSTOP))
	thawed := false
	thaw = func() {
		if !thawed {
			thawed = true
			_ = p.command.Process.Signal(syscall.SIGCONT) // it may have been killed
		}
	}
	t.Cleanup(thaw)
	return thaw
}

// A process is frozen for a minute while its requests are on their way to Polar.
func TestAFrozenProcess(t *testing.T) {
	t.Parallel()
	const deletions = 8
	t.Run("on SQLite goes on where it stood", func(t *testing.T) {
		t.Parallel()
		testFrozen(t, newEnvironment(t, databasetest.SQLite(t)), deletions, 1)
	})
	t.Run("on Postgres loses its work to the other replica, and hears it", func(t *testing.T) {
		t.Parallel()
		testFrozen(t, newEnvironment(t, databasetest.Postgres(t)), deletions, 2)
	})
}

func testFrozen(t *testing.T, env *environment, deletions, replicas int) {
	t.Helper()
	// Half of the requests are done before the answer is held back, half of them not.
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation != polartest.OperationDelete {
			return polartest.Fault{}
		}
		fault := polartest.Slow(3 * time.Second)
		if e.Seq%2 == 0 {
			fault = fault.AfterCommit()
		}
		return fault
	})
	ids := env.addCustomers(deletions)
	servers := make([]*process, replicas)
	for i := range servers {
		servers[i] = env.start(t)
	}
	for i, id := range ids {
		servers[0].deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
	}
	require.NoError(t, env.polar.WaitForCallsOf(t.Context(), polartest.OperationDelete, min(deletions, 4*replicas)))
	thaw := servers[0].freeze(t)
	<-time.After(4 * time.Second) // what was on its way is answered, to nobody
	env.polar.ClearFaults()
	<-time.After(frozenFor - 4*time.Second)
	thaw()

	env.waitDeleted(t, ids, 90*time.Second)
	for _, id := range ids {
		require.Equal(t, 1, env.polar.Deleted(id), "Polar answered 204 once for %s", id)
		require.Equal(t, "deleted", env.deletion(t, id, "done").Outcome)
	}
	var output strings.Builder
	for _, server := range servers {
		server.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
		require.Zero(t, server.terminate(t))
		output.WriteString(server.output())
	}
	require.Equal(t, deletions, strings.Count(output.String(), `"msg":"deletion finished"`), "each is in the log once\n%s", &output)
}
