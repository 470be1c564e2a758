package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// traced is what the kernel was asked to do, one call a line.
type traced struct {
	command *exec.Cmd
	file    string
}

// trace writes down what the process writes and syncs.
func (p *process) trace(t *testing.T) *traced {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil && os.Getenv("CI") == "" {
		t.Skip("no strace is installed; make test installs it")
	}
	file := filepath.Join(t.TempDir(), "trace")
	command := exec.CommandContext(t.Context(), "strace", "-f", "-y", "-s", "9000", "-o", file,
		"-e", "trace=fsync,fdatasync,pwrite64,write", "-p", fmt.Sprint(p.command.Process.Pid))
	said, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	first, err := bufio.NewReader(said).ReadString('\n')
	if os.Getenv("CI") == "" && strings.Contains(first, "not permitted") {
		_ = command.Wait() // it has said why
		t.Skip("this process may not be traced: " + first)
	}
	require.NoError(t, err)
	require.Contains(t, first, "attached")
	return &traced{command, file}
}

func (tr *traced) lines(t *testing.T) [][]byte {
	t.Helper()
	require.NoError(t, tr.command.Process.Signal(syscall.SIGINT))
	_ = tr.command.Wait() // says that it was interrupted
	content, err := os.ReadFile(tr.file)
	require.NoError(t, err)
	return bytes.Split(content, []byte("\n"))
}

// after returns the first line at or after from that has all the parts.
func after(lines [][]byte, from int, parts ...string) int {
next:
	for i := from; i < len(lines); i++ {
		for _, part := range parts {
			if !bytes.Contains(lines[i], []byte(part)) {
				continue next
			}
		}
		return i
	}
	return len(lines)
}

func TestAnEventIsWrittenThenSyncedThenAcknowledged(t *testing.T) {
	t.Parallel()
	const events = 5
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFault(polartest.Hang())
	p := env.start(t)
	trace := p.trace(t)
	for i := range events {
		p.deliver(t, sign(t, "clerk", fmt.Sprintf("msg_durable_%d", i), "user"), http.StatusAccepted)
	}
	lines := trace.lines(t)
	acknowledged := -1
	for i := range events {
		// In the WAL's page that was written last, and not in its log line.
		written := after(lines, acknowledged+1, "pwrite64(", "-wal>", fmt.Sprintf("msg_durable_%d", i))
		synced := after(lines, written, "-wal>", "sync(")
		if synced < len(lines) && bytes.Contains(lines[synced], []byte("unfinished")) {
			synced = after(lines, synced+1, "sync resumed>", "= 0")
		}
		acknowledged = after(lines, acknowledged+1, "HTTP/1.1 202")
		require.Less(t, written, acknowledged, "event %d", i)
		require.Less(t, synced, acknowledged, "event %d was acknowledged before it was synced", i)
		require.Less(t, acknowledged, len(lines), "event %d", i)
	}
}

func TestATornOrFlippedFileIsRefusedOrLosesOneRecordAtMost(t *testing.T) {
	t.Parallel()
	const events = 100
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFault(polartest.RateLimited(10 * time.Minute))
	p := env.start(t)
	for i := range events {
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), fmt.Sprint("user_", i)), http.StatusAccepted)
	}
	p.kill() // everything may be in the WAL only
	path := sqliteFile(env.database)
	database, err := os.ReadFile(path)
	require.NoError(t, err)
	wal, err := os.ReadFile(path + "-wal")
	require.NoError(t, err)
	require.NotEmpty(t, wal)
	_, err = handle(t, path).ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, err)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, cut := range []int{1, 100, 4095, 4096, 4097} {
		// A page that is torn at its end may be whole but for one record's last bytes.
		env.damaged(t, whole[:len(whole)-cut], nil, events-1, cut >= 4096)
		env.damaged(t, database, wal[:len(wal)-cut], events-4, false)
	}
	for range 8 {
		env.damaged(t, flipped(random, whole), nil, events-1, false)
	}
	refused := 0
	for range 10 { // in a table, in an index over it that would hide rows, or where nothing lives
		if env.damaged(t, misspelt(random, whole, "polar_bridge_delete"), nil, events, false) {
			refused++
		}
	}
	require.Greater(t, refused, 3, "indexes are compared with tables")
}

// misspelt flips a bit in one of the places where the word stands.
func misspelt(random *rand.Rand, content []byte, word string) []byte {
	places := regexp.MustCompile(word).FindAllIndex(content, -1)
	content = bytes.Clone(content)
	content[places[random.IntN(len(places))][0]+random.IntN(len(word))] ^= 1
	return content
}

func flipped(random *rand.Rand, content []byte) []byte {
	content = bytes.Clone(content)
	content[random.IntN(len(content))] ^= 1 << random.IntN(8)
	return content
}

// damaged starts the program on the file, which it must refuse without a panic
// or know at least so many deletions.
func (env *environment) damaged(t *testing.T, database, wal []byte, least int, refuse bool) (refused bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.db")
	require.NoError(t, os.WriteFile(path, database, 0o600))
	if wal != nil {
		require.NoError(t, os.WriteFile(path+"-wal", wal, 0o600))
	}
	copied := *env
	copied.settings = maps.Clone(env.settings)
	copied.settings["DATABASE_URL"] = "sqlite:" + path
	p := copied.launch(t, "serve")
	t.Cleanup(p.kill)
	require.NotContains(t, p.output(), "panic")
	if !strings.Contains(p.output(), `"msg":"ready"`) {
		<-p.exited
		require.Equal(t, 1, p.command.ProcessState.ExitCode())
		require.Contains(t, p.output(), "polar-bridge: ", "says what is wrong")
		return true
	}
	require.False(t, refuse, "%d bytes were taken for a database", len(database))
	p.kill()
	var stats struct{ Providers []struct{ Waiting, Held int } }
	require.NoError(t, json.Unmarshal([]byte(copied.bridge(t, 0, "deletions", "stats", "--json")), &stats))
	known := 0 // whatever a flipped bit made of one of them
	for _, p := range stats.Providers {
		known += p.Waiting + p.Held
	}
	require.GreaterOrEqual(t, known, least)
	return false
}
