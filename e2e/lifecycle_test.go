package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// get asks the admin listener and returns the status, which is of a machine that runs.
func (p *process) get(t *testing.T, path string) (status int) {
	t.Helper()
	for still := true; still; {
		asked := time.Now()
		status = p.getOnce(t, path)
		still = time.Since(asked) > missed && stoodStill(asked, time.Now()) > 0
	}
	return status
}

func (p *process) getOnce(t *testing.T, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+path, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestATerminatedServerFinishesWhatItBeganAndExitsCleanly(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		ids := env.addCustomers(10)
		p := env.start(t)
		env.polar.SetFault(polartest.Slow(300 * time.Millisecond))
		for i, id := range ids {
			p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), 202)
		}
		env.waitForCalls(t, 1)
		stopped := time.Now()
		require.Zero(t, p.terminate(t), p.output())
		p.says(t, `"msg":"stopped"`)
		finished := strings.Count(p.output(), `"msg":"deletion finished"`)
		broken := env.deletes() - finished
		require.True(t, broken == 0 || stoodStill(stopped, time.Now()) > 0, "%d calls were broken off", broken)

		env.polar.ClearFaults()
		env.start(t)
		env.waitDeleted(t, ids, 30*time.Second)
		require.Equal(t, len(ids)+broken, env.deletes())
	})
}

func TestReadinessIsRedWhileTheServerStillServes(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "SHUTDOWN_DELAY=1m")
	env.addCustomers(1)
	p := env.start(t)
	require.Equal(t, 200, p.get(t, "/readyz"))
	asked := time.Now()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return p.get(t, "/readyz") == 503 }, patience, 10*time.Millisecond)
	require.Less(t, ran(asked), time.Second)
	require.Equal(t, 200, p.get(t, "/livez"))
	p.deliver(t, sign(t, "clerk", "msg_late", "user_0000"), 202)
}

func TestReadinessDoesNotAskPolar(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFault(polartest.Gateway(503))
	env.addCustomers(1)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", "user_0000"), 202)
	env.waitForCalls(t, 1)
	require.Equal(t, 200, p.get(t, "/readyz"))
}

func TestASecondServerOnTheSameSQLiteFileIsRefused(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.start(t)
	second := env.launch(t, "serve")
	<-second.exited
	require.Equal(t, 1, second.command.ProcessState.ExitCode())
	second.says(t, "another polar-bridge serves this SQLite file")
}

func TestARevokedTokenPausesEverythingAndIsNotHeldAgainstAnybody(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(30)
	p := env.start(t)
	env.polar.RevokeToken(polarToken)
	for i, id := range ids {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), 202)
	}
	p.waitMetric(t, `polar_bridge_polar_paused{reason="unauthorized"}`, 1, 20*time.Second)
	require.LessOrEqual(t, env.calls(), 4)
	env.polar.AllowToken(polarToken, polartest.TokenFull)
	env.waitDeleted(t, ids, 100*time.Second)
	require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	require.LessOrEqual(t, env.deletes(), len(ids)+5)
	require.LessOrEqual(t, env.calls(), 2*len(ids)+5)
	p.waitMetric(t, `polar_bridge_polar_paused{reason="unauthorized"}`, 0, 20*time.Second)
}

func TestAnIdleServerIsSmall(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("no /proc on this system")
	}
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(status), "\n") {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
			require.NoError(t, err)
			t.Logf("peak RSS after the start: %d kB", kilobytes)
			require.LessOrEqual(t, kilobytes, 45*1024)
			return
		}
	}
	require.FailNow(t, "no VmHWM")
}
