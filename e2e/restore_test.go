package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// restore puts a backup in the place of the environment's database, as docs/storage.md
// says, an hour after it was made.
func (s store) restore(t *testing.T, env *environment, content []byte) {
	t.Helper()
	path, sqlite := strings.CutPrefix(env.database, "sqlite:")
	if !sqlite {
		env.database = s.load(t, content)
		env.settings["DATABASE_URL"] = env.database
		hour := time.Hour.Microseconds()
		s.run(t, env.database, fmt.Sprintf(`UPDATE polar_bridge.polar_bridge_deletions SET received_at = received_at - %[1]d,
			decided_at = greatest(decided_at - %[1]d, 0), sent_at = greatest(sent_at - %[1]d, 0), next_try_at = greatest(next_try_at - %[1]d, 0)`, hour))
		s.run(t, env.database, `UPDATE polar_bridge.river_job SET created_at = created_at - interval '1 hour', attempted_at = attempted_at - interval '1 hour',
			scheduled_at = scheduled_at - interval '1 hour'`)
		return
	}
	for _, sidecar := range []string{"", "-wal", "-shm"} { // install makes a new file
		require.NoError(t, os.RemoveAll(path+sidecar))
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	step(t, path, -time.Hour)
}

// What was deleted after the backup waits again. None is deleted twice, each ends as
// what is known of it, and repeats are recognised as far as the backup knows them.
func TestABackupOfAnHourAgoIsRestored(t *testing.T) {
	t.Parallel()
	for _, s := range stores() {
		t.Run(strings.TrimPrefix(s.fixture, "v0.1.0."), func(t *testing.T) {
			t.Parallel()
			const each = 3
			env := newEnvironment(t, s.empty(t))
			ids := env.addCustomers(4 * each)
			done, lost, waiting, unknown := ids[:each], ids[each:2*each], ids[2*each:3*each], ids[3*each:]
			deliver := func(p *process, ids []string, status int) {
				for _, id := range ids {
					p.deliver(t, sign(t, "clerk", "msg_"+id, id), status)
				}
			}
			p := env.start(t)
			deliver(p, done, http.StatusAccepted)
			env.waitDeleted(t, done, time.Minute)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
			env.polar.SetFaultFunc(onlyDeletes(polartest.Gateway(http.StatusServiceUnavailable)))
			deliver(p, lost, http.StatusAccepted) // what a 503 came to is not known
			require.NoError(t, env.polar.WaitForCallsOf(t.Context(), polartest.OperationDelete, 2*each))
			env.bridge(t, 0, "deletions", "pause")
			deliver(p, waiting, http.StatusAccepted)
			require.Eventually(t, func() bool { return strings.Count(p.output(), "deletion retried") >= each }, time.Minute, 5*time.Millisecond)
			backup := s.save(t, env.database)

			env.polar.ClearFaults()
			env.bridge(t, 0, "deletions", "resume")
			deliver(p, unknown, http.StatusAccepted)
			env.waitDeleted(t, ids, 2*time.Minute)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
			require.Zero(t, p.terminate(t))
			s.restore(t, env, backup)

			p = env.start(t)
			env.bridge(t, 0, "deletions", "resume") // the pause is in the backup as well
			for _, known := range [][]string{done, lost, waiting} {
				deliver(p, known, http.StatusOK)
			}
			deliver(p, unknown, http.StatusAccepted)
			for outcome, ids := range map[string][]string{"deleted": append(done, lost...), "not_found": append(waiting, unknown...)} {
				for _, id := range ids {
					require.Equal(t, outcome, env.deletion(t, id, "done").Outcome, id)
					require.Equal(t, 1, env.polar.Deleted(id), "204 once for %s", id)
				}
			}
			require.Equal(t, 3*each, strings.Count(p.output(), `"msg":"deletion finished"`), "each is in the log once\n%s", p.output())
		})
	}
}
