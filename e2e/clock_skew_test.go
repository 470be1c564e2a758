package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// clockVariable is by how much the clock of a skewed binary is wrong.
const clockVariable = "POLAR_BRIDGE_TEST_CLOCK"

// buildSkewed builds the program with another time.Now in the standard library, so
// that River and all other libraries are wrong with us. Durations stay right.
func buildSkewed(t *testing.T) (binary string) {
	t.Helper()
	original := filepath.Join(runtime.GOROOT(), "src", "time", "time.go") //nolint:staticcheck // the one that go build uses
	source, err := os.ReadFile(original)
	require.NoError(t, err)
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	require.Equal(t, 1, strings.Count(string(source), now), "time.Now reads otherwise in this version of Go")
	changed := strings.Replace(string(source), now, now+"\tsec += offset\n", 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"syscall\"\n", 1) + `
var offset = func() int64 {
	text, _ := syscall.Getenv("` + clockVariable + `")
	by, _ := ParseDuration(text)
	return int64(by / Second)
}()
`
	dir := t.TempDir()
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: filepath.Join(dir, "time.go")}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "time.go"), []byte(changed), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	binary = filepath.Join(dir, "polar-bridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// Two replicas differ by half a minute, while attempts last for seconds: the one that
// is ahead takes the other's for those of a dead process.
func TestReplicasWhoseClocksDiffer(t *testing.T) {
	t.Parallel()
	skewed := buildSkewed(t)
	for name, by := range map[string]time.Duration{"one is ahead": 30 * time.Second, "one is behind": -30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const deletions = 160 // 32 at once, eight seconds each: longer than River takes to look for dead processes
			env := newEnvironment(t, databasetest.Postgres(t), clockVariable+"="+by.String(), "POLAR_CONCURRENCY=16")
			env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
				switch {
				case e.Operation != polartest.OperationDelete:
					return polartest.Fault{}
				case e.Seq%10 == 0:
					return polartest.Gateway(http.StatusServiceUnavailable)
				case e.Seq%10 == 1:
					return polartest.ResetAfterCommit()
				}
				return polartest.Slow(8 * time.Second)
			})
			ids := env.addCustomers(deletions)
			wrong := env.startBinary(t, skewed) // it comes first, and is River's leader
			right := env.start(t)
			servers := []*process{wrong, right}
			for i, id := range ids {
				servers[i%2].deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
			}
			if by > 0 {
				jobs := store{}.handle(t, env.database)
				require.Eventually(t, func() bool {
					var rescued bool
					err := jobs.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT 1 FROM polar_bridge.river_job WHERE cardinality(errors) > 0)").Scan(&rescued)
					return err == nil && rescued
				}, 3*time.Minute, 100*time.Millisecond, "River takes living attempts back")
			}
			env.waitDeleted(t, ids, 6*time.Minute)
			var output strings.Builder
			for _, p := range servers {
				p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 2*time.Minute)
				require.Zero(t, p.terminate(t))
				output.WriteString(p.output())
			}
			sent := map[string]time.Time{} // the requests whose answer is not lost but by a standstill
			for _, call := range env.journal() {
				if call.Operation == polartest.OperationDelete && call.Fault == "slow" {
					first, again := sent[call.ExternalID]
					require.False(t, again && stoodStill(first, call.Time) == 0, "nobody sends a second request while the first is on its way: %s", call.ExternalID)
					sent[call.ExternalID] = call.Time
				}
			}
			for _, id := range ids {
				require.Equal(t, 1, env.polar.Deleted(id), "204 once for %s", id)
				require.Contains(t, sent, id)
			}
			require.Equal(t, deletions, strings.Count(env.bridge(t, 0, "deletions", "list", "--limit", "0", "--json"), `"outcome":"deleted"`))
			require.Equal(t, deletions, strings.Count(output.String(), `"msg":"deletion finished"`), "each is in the log once")
		})
	}
}
