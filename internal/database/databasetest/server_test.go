package databasetest_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// waitVariable makes this test binary start a server, say where it is, and wait.
const waitVariable = "DATABASETEST_WAIT"

func TestMain(m *testing.M) {
	if os.Getenv(waitVariable) == "" {
		os.Exit(m.Run())
	}
	url, _, err := databasetest.StartPostgres("fsync=off")
	_, _ = fmt.Fprintln(os.Stdout, url, err) // the test reads it
	<-make(chan struct{})
}

func answers(t *testing.T, url string) error {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // asked once
	return db.PingContext(t.Context())
}

func TestKilledTestsLeaveNoServerBehind(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short leaves PostgreSQL out")
	}
	killed := exec.CommandContext(t.Context(), os.Args[0])
	killed.Env = append(os.Environ(), waitVariable+"=1")
	output, err := killed.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, killed.Start())
	said, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	url, failed, _ := strings.Cut(strings.TrimSpace(said), " ")
	require.Equal(t, "<nil>", failed)
	require.NoError(t, answers(t, url))
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.Eventually(t, func() bool { return answers(t, url) != nil }, 30*time.Second, 50*time.Millisecond)
}
