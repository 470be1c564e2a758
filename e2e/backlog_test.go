package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// backlogVariable is how many deletions wait: make backlog has a million.
const backlogVariable = "POLAR_BRIDGE_BACKLOG"

// backlogFigures are what operators and senders feel of deletions that wait, paused.
type backlogFigures struct {
	list, stats, accept, metrics, resume time.Duration
	memory                               int // kB
}

func (f backlogFigures) String() string {
	return fmt.Sprintf("list %s, stats %s, 202 %s, /metrics %s, resume to first DELETE %s, memory %d MB",
		f.list.Round(time.Millisecond), f.stats.Round(time.Millisecond), f.accept.Round(100*time.Microsecond),
		f.metrics.Round(100*time.Microsecond), f.resume.Round(time.Millisecond), f.memory>>10)
}

// Whatever waits, nothing takes longer but stats, which counts all rows once.
func TestABacklogThatIsPaused(t *testing.T) {
	t.Parallel()
	many := int(numberFrom(t, backlogVariable, 20_000))
	databasetest.EachURL(t, func(t *testing.T, database string) {
		few := measureBacklog(t, emptyLike(t, database), many/100)
		full := measureBacklog(t, database, many)
		t.Logf("%9d waiting: %s", many/100, few)
		t.Logf("%9d waiting: %s", many, full)
		const ( // of a busy machine
			slack, perRow  = time.Second, 10 * time.Microsecond
			mostTimes      = 3
			mostMoreMemory = 64 << 10 // kB: SQLite keeps pages in memory
		)
		for name, took := range map[string][2]time.Duration{
			"list": {few.list, full.list}, "accept": {few.accept, full.accept}, "metrics": {few.metrics, full.metrics}, "resume": {few.resume, full.resume},
		} {
			require.Less(t, took[1], mostTimes*took[0]+slack, name)
		}
		require.Less(t, full.stats, slack+time.Duration(many)*perRow)
		require.Less(t, full.memory, few.memory+mostMoreMemory, "kB")
	})
}

// emptyLike is another empty database of the same kind.
func emptyLike(t *testing.T, database string) string {
	t.Helper()
	if strings.HasPrefix(database, "sqlite:") {
		return databasetest.SQLite(t)
	}
	return databasetest.Postgres(t)
}

func measureBacklog(t *testing.T, database string, waiting int) (f backlogFigures) {
	t.Helper()
	env := newEnvironment(t, database, "VERIFY_AFTER=0s")
	env.bridge(t, 0, "migrate")
	require.NoError(t, databasetest.FillWaiting(t.Context(), store{}.handle(t, database), strings.HasPrefix(database, "sqlite:"), waiting))
	env.bridge(t, 0, "deletions", "pause")
	p := env.start(t)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, float64(waiting), time.Minute)
	timed := func(act func()) time.Duration {
		begin := time.Now()
		act()
		return ran(begin)
	}
	f.list = timed(func() {
		require.Contains(t, env.bridge(t, 0, "deletions", "list"), fmt.Sprint("user_waiting_", waiting))
	})
	f.stats = timed(func() {
		require.Contains(t, env.bridge(t, 0, "deletions", "stats", "--json"), fmt.Sprintf(`"waiting":%d`, waiting))
	})
	for i := range 20 {
		event := sign(t, "clerk", fmt.Sprint("msg_", i), fmt.Sprint("user_", i))
		f.accept = max(f.accept, timed(func() { p.deliver(t, event, http.StatusAccepted) }))
		f.metrics = max(f.metrics, timed(func() { p.scrape(t) }))
	}
	require.Zero(t, env.calls(), "it is paused")
	resume := env.prepare(t, exec.CommandContext(t.Context(), os.Getenv(binaryVariable), "deletions", "resume"))
	f.resume = timed(func() {
		require.NoError(t, resume.Run())
		require.Eventually(t, func() bool { return env.deletes() > 0 }, time.Minute, time.Millisecond)
	})
	var err error
	f.memory, err = p.residentMemory()
	require.NoError(t, err)
	p.kill()
	return f
}
