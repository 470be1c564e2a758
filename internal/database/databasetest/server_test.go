package databasetest_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// waitVariable makes this test binary start what tests start, and wait.
const waitVariable = "DATABASETEST_WAIT"

func TestMain(m *testing.M) {
	if os.Getenv(waitVariable) == "" {
		os.Exit(m.Run())
	}
	os.Exit(databasetest.Main(m, waitToBeKilled))
}

// waitToBeKilled starts a server and a process, which has our output, too, says where
// the server and temporary files are, and waits.
func waitToBeKilled() error {
	url, _, err := databasetest.StartPostgres("fsync=off")
	if err != nil {
		return err
	}
	process := exec.Command("sleep", "600")
	process.Stdout = os.Stdout
	if err := process.Start(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, url, os.TempDir()) // the test reads it
	return process.Wait()
}

func answers(t *testing.T, url string) error {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // asked once
	return db.PingContext(t.Context())
}

func TestKilledTestsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves PostgreSQL out")
	}
	killed := exec.CommandContext(t.Context(), os.Args[0])
	killed.Env = append(os.Environ(), waitVariable+"=1")
	output, written, err := os.Pipe()
	require.NoError(t, err)
	killed.Stdout = written
	require.NoError(t, killed.Start())
	require.NoError(t, written.Close())
	lines := bufio.NewReader(output)
	said, err := lines.ReadString('\n')
	require.NoError(t, err)
	url, folder, _ := strings.Cut(strings.TrimSpace(said), " ")
	require.NoError(t, answers(t, url))
	require.DirExists(t, folder)
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.Eventually(t, func() bool { return answers(t, url) != nil }, 30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := os.Stat(folder)
		return errors.Is(err, fs.ErrNotExist)
	}, 30*time.Second, 50*time.Millisecond)
	if runtime.GOOS != "linux" {
		return // where processes outlive their tests
	}
	require.NoError(t, output.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = lines.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the process of the tests is still there")
}
