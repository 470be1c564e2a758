package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("only root may mount a small file system")
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", dir).CombinedOutput()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("cannot mount a small file system: %s", out)
	}
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return dir
}

// fill writes a file until nothing is left, and returns its name.
func fill(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	file, err := os.Create(name)
	require.NoError(t, err)
	for _, size := range []int{1 << 16, 1} {
		for err = nil; err == nil; {
			_, err = file.Write(bytes.Repeat([]byte("x"), size))
		}
		require.ErrorContains(t, err, "no space left")
	}
	require.NoError(t, file.Close())
	return name
}

// answer posts and returns the status and how long the sender is asked to wait.
func (p *process) answer(t *testing.T, d delivery) (status int, retryAfter string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.webhooks+"/webhooks/"+d.provider, bytes.NewReader(d.body))
	require.NoError(t, err)
	request.Header = d.header.Clone()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header.Get("Retry-After")
}

func TestAFullDiskLosesNothingAndNeedsNoRestart(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]polartest.Fault{
		"nobody can be deleted meanwhile":     polartest.Gateway(503),
		"and the deletions in progress go on": polartest.Slow(20 * time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFullDisk(t, meanwhile)
		})
	}
}

// sender posts one event after the other and counts the 202s.
type sender struct {
	ids      []string
	accepted int
}

// next posts the next event, the same one again until it is accepted.
func (s *sender) next(t *testing.T, p *process) (status int, retryAfter string) {
	t.Helper()
	require.Less(t, s.accepted, len(s.ids), "no more customers")
	status, retryAfter = p.answer(t, sign(t, "clerk", fmt.Sprint("msg_", s.accepted), s.ids[s.accepted]))
	if status == http.StatusAccepted {
		s.accepted++
	}
	return status, retryAfter
}

func testFullDisk(t *testing.T, meanwhile polartest.Fault) {
	t.Helper()
	disk := smallDisk(t, 8)
	env := newEnvironment(t, "sqlite:"+filepath.Join(disk, "polar-bridge.db"))
	s := sender{ids: env.addCustomers(4000)}
	p := env.start(t)
	env.polar.SetFault(meanwhile)
	for s.accepted < 100 {
		sent := time.Now()
		status, _ := s.next(t, p)
		require.True(t, status == http.StatusAccepted || stoodStill(sent, time.Now()) > 0, "%d", status)
	}

	ballast := fill(t, disk)
	status, retryAfter := 0, ""
	for status != http.StatusServiceUnavailable {
		status, retryAfter = s.next(t, p)
		require.Contains(t, []int{http.StatusAccepted, http.StatusServiceUnavailable}, status)
	}
	require.Equal(t, "5", retryAfter)
	require.Equal(t, http.StatusServiceUnavailable, p.get(t, "/readyz"))
	require.Equal(t, http.StatusOK, p.get(t, "/livez"), "a restart would not help")
	t.Logf("%d accepted and %d deleted when the disk was full", s.accepted, env.deletes())
	p.says(t, "database or disk is full")

	require.NoError(t, os.Remove(ballast))
	env.polar.ClearFaults()
	freed := time.Now()
	require.Eventually(t, func() bool { status, _ := s.next(t, p); return status == http.StatusAccepted }, patience, 50*time.Millisecond)
	require.Equal(t, http.StatusOK, p.get(t, "/readyz"))
	t.Logf("accepted again after %s", time.Since(freed).Round(time.Millisecond))
	for i, id := range s.ids[:s.accepted] {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusOK) // every 202 is known
	}
	env.waitDeleted(t, s.ids[:s.accepted], 3*time.Minute)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 2*time.Minute)
	require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	t.Logf("all done after %s", time.Since(freed).Round(time.Second))
	require.NotContains(t, p.output(), "panic")
}

func TestAStartOnAFullDiskSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 8)
	env := newEnvironment(t, "sqlite:"+filepath.Join(disk, "polar-bridge.db"))
	ids := env.addCustomers(1)
	env.polar.SetFault(polartest.Gateway(503))
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
	require.Zero(t, p.terminate(t))
	ballast := fill(t, disk)
	require.Contains(t, env.refused(t, "serve"), "the disk of the database is full: ")

	require.NoError(t, os.Remove(ballast))
	env.polar.ClearFaults()
	env.start(t)
	env.waitDeleted(t, ids, time.Minute)
}

// A list that is longer than what SQLite keeps in memory needs a temporary file.
func TestADoctorAndAStartWriteATemporaryFileToKnowThatTheyCan(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 2)
	const room = 128 << 10 // less than the sorter needs
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 2<<20-room), 0o600))
	env := newEnvironment(t, "sqlite:"+filepath.Join(dir, "polar-bridge.db"))
	require.Regexp(t, "fault +database temporary files .*SQLite cannot write temporary files in ", env.bridge(t, 1, "doctor"))
	p := env.launch(t, "serve")
	<-p.exited
	require.Equal(t, 1, p.command.ProcessState.ExitCode(), p.output())
	p.says(t, "SQLite cannot write temporary files in ")
}

func TestAnOperatorHearsThatTheWALCannotBeCheckpointed(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 32)
	path := filepath.Join(dir, "polar-bridge.db")
	env := newEnvironment(t, "sqlite:"+path)
	p := env.start(t)
	const failures = `polar_bridge_database_maintenance_failures_total{maintenance="checkpoint"}`
	p.waitMetric(t, failures, 0, 10*time.Second)

	// A reader keeps all of it in the WAL; the file can no longer grow.
	reader, err := handle(t, path).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var tables int
	require.NoError(t, reader.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master").Scan(&tables))
	_, err = handle(t, path).ExecContext(t.Context(), "CREATE TABLE large AS SELECT randomblob(8000000) AS content")
	require.NoError(t, err)
	ballast := fill(t, dir)
	require.NoError(t, reader.Rollback())
	require.Eventually(t, func() bool { return p.metric(t, failures) > 0 }, patience, 50*time.Millisecond, p)
	require.Regexp(t, `"level":"error".*"database maintenance failed".*"maintenance":"checkpoint"`, p.output())

	require.NoError(t, os.Remove(ballast))
	last := 0.0
	require.Eventually(t, func() bool {
		before := last
		last = p.metric(t, failures)
		return last == before
	}, patience, time.Second, "it recovers by itself")
}
