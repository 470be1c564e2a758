package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/polar-bridge/polar-bridge/internal/cli"
)

// terminal returns both ends of a pseudo-terminal: what a program writes to, and what
// people read.
func terminal(t *testing.T) (program, people *os.File) {
	t.Helper()
	people, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, people.Close()) })
	connection, err := people.SyscallConn()
	require.NoError(t, err)
	var number int
	var failed error
	require.NoError(t, connection.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}))
	require.NoError(t, failed)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return program, people
}

// served starts serve, and stops it once it has said that it serves.
func served(t *testing.T, out io.WriteCloser, said io.Reader, more map[string]string, args ...string) (text string) {
	t.Helper()
	variables := settings()
	maps.Copy(variables, map[string]string{"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "bridge.db"), "POLAR_BASE_URL": "http://127.0.0.1:1"})
	maps.Copy(variables, more)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Env{
			Args: append([]string{"serve"}, args...), Getenv: func(name string) string { return variables[name] }, ReadFile: os.ReadFile,
			Stdout: out, Stderr: io.Discard, Version: "v1.2.3", Revision: "0123abc",
		})
	}()
	lines := bufio.NewScanner(said)
	for !strings.Contains(text, "listen_addr") && lines.Scan() {
		text += strings.TrimRight(lines.Text(), "\r") + "\n"
	}
	stop()
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, said)
	}()
	require.Zero(t, <-ended, text)
	require.NoError(t, out.Close())
	<-read
	return text
}

func TestServeOnATerminal(t *testing.T) {
	t.Parallel()
	const blue = "\x1b[34mINFO\x1b[0m"

	t.Run("says where the database is and what to register, and logs for people", func(t *testing.T) {
		t.Parallel()
		program, people := terminal(t)
		text := served(t, program, people, nil)
		require.Regexp(t, `^Deletions are kept in the SQLite file "/.*/bridge\.db"\.
Webhooks are taken here; register the address under which the internet reaches it:
  Clerk +POST http://127\.0\.0\.1:0/webhooks/clerk
  Auth0 Event Streams +POST http://127\.0\.0\.1:0/webhooks/auth0
`, text)
		require.Contains(t, text, blue)
		require.NotContains(t, text, `"level"`)
		require.Contains(t, text, `"POLAR_BASE_URL": "http://127.0.0.1:1"`)
		require.NotContains(t, text, "RETENTION", "which is at its default")
	})
	t.Run("uses no colors with NO_COLOR", func(t *testing.T) {
		t.Parallel()
		program, people := terminal(t)
		text := served(t, program, people, map[string]string{"NO_COLOR": "1", "LISTEN_ADDR": ":0"})
		require.Contains(t, text, "POST http://127.0.0.1:0/webhooks/clerk")
		require.Contains(t, text, "\tINFO\t")
		require.NotContains(t, text, "\x1b")
	})
	for name, chosen := range map[string][2]string{"variable": {"json", ""}, "flag": {"", "--log-format=json"}} {
		t.Run("does as it is told by LOG_FORMAT, a "+name, func(t *testing.T) {
			t.Parallel()
			program, people := terminal(t)
			text := served(t, program, people, map[string]string{"LOG_FORMAT": chosen[0]}, strings.Fields(chosen[1])...)
			require.True(t, strings.HasPrefix(text, `{"level":"info"`), text)
		})
	}
	t.Run("is one thing, a pipe another", func(t *testing.T) {
		t.Parallel()
		said, program := io.Pipe()
		text := served(t, program, said, nil)
		require.True(t, strings.HasPrefix(text, `{"level":"info"`))
		require.Contains(t, text, `"RETENTION":"720h0m0s"`)
	})
}
