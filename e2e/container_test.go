package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// containerUser is the image's user.
const containerUser = 65532

// confine lets the environment's processes see what a read-only container has: the
// program, the folder /data, which is theirs, and no /tmp.
func (env *environment) confine(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("only root may give a process another root folder")
	}
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755)) // another user lives there
	env.data = filepath.Join(root, "data")
	require.NoError(t, os.Mkdir(env.data, 0o700))
	require.NoError(t, os.Chown(env.data, containerUser, containerUser))
	program, err := os.Open(os.Getenv(binaryVariable))
	require.NoError(t, err)
	defer program.Close() //nolint:errcheck // only read
	copied, err := os.OpenFile(filepath.Join(root, "polar-bridge"), os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(copied, program)
	require.NoError(t, err)
	require.NoError(t, copied.Close())
	// A link to the file is the file: beside the link nothing can be written.
	require.NoError(t, os.Symlink("/data/polar-bridge.db", filepath.Join(root, "linked.db")))
	env.settings["DATABASE_URL"] = "sqlite:/linked.db"
	env.confined = func(command *exec.Cmd) {
		command.Path, command.Dir = "/polar-bridge", "/"
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: containerUser, Gid: containerUser}}
	}
}

// logBatch is one delivery of Auth0's log stream with n deletions.
func logBatch(t *testing.T, name string, n int) delivery {
	t.Helper()
	batch := sign(t, "auth0-logs", name+"_0", name+"_0")
	lines := [][]byte{batch.body}
	for i := 1; i < n; i++ {
		lines = append(lines, sign(t, "auth0-logs", fmt.Sprint(name, "_", i), fmt.Sprint(name, "_", i)).body)
	}
	batch.body = bytes.Join(lines, []byte("\n"))
	return batch
}

func TestAReadOnlyContainerWithoutATemporaryFolderTakesEverything(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, "")
	env.confine(t)
	env.polar.SetFault(polartest.Gateway(http.StatusServiceUnavailable)) // nothing leaves the table
	p := env.start(t)
	for i := range 500 {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), fmt.Sprint("user_", i)), http.StatusAccepted)
	}
	require.Contains(t, p.deliver(t, logBatch(t, "batch", 300), http.StatusAccepted), `"accepted":300`)
	var group sync.WaitGroup
	for i := range 64 {
		d := sign(t, "clerk", fmt.Sprint("msg_at_once_", i), fmt.Sprint("user_at_once_", i))
		group.Go(func() {
			if status, text := p.post(t.Context(), http.DefaultClient, d); status != http.StatusAccepted {
				t.Error(status, text)
			}
		})
	}
	group.Wait()
	require.Equal(t, http.StatusOK, p.get(t, "/readyz"))

	const rows, sent = 200_000, 500 + 300 + 64
	_, err := handle(t, filepath.Join(env.data, "polar-bridge.db")).ExecContext(t.Context(), `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, next_try_at)
		SELECT 'filled ' || i, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, next_try_at
		FROM (SELECT * FROM polar_bridge_deletions LIMIT 1), n`, rows-sent)
	require.NoError(t, err)
	var stats struct {
		Providers []struct{ Waiting int }
	}
	require.NoError(t, json.Unmarshal([]byte(env.bridge(t, 0, "deletions", "stats", "--json")), &stats))
	all := 0
	for _, provider := range stats.Providers {
		all += provider.Waiting
	}
	require.Equal(t, rows, all)
	require.NotContains(t, p.output(), "(6410)")
}

func TestADoctorInAReadOnlyContainerSaysThatTemporaryFilesCanBeWritten(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, "")
	env.confine(t)
	env.start(t)
	require.Regexp(t, `ok +database temporary files`, env.bridge(t, 0, "doctor"))
}
