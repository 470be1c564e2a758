package databasetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Pooler returns the URL under which a PgBouncer of the test's own offers the
// database that a URL of Postgres names. Settings, each of the form name = value,
// come on top of transaction mode. Where PgBouncer is not installed the test
// skips, or fails when CI is set.
func Pooler(t testing.TB, database string, settings ...string) string {
	t.Helper()
	program, err := poolerBinary()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("PgBouncer is not installed; make test installs it")
	}
	require.NoError(t, err)
	target, err := url.Parse(database)
	require.NoError(t, err)
	port, err := freePort()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("/tmp", "polar-bridge-pgbouncer-") //nolint:usetesting // t.TempDir is closed to the server's user
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	credential, err := serverUser(dir)
	require.NoError(t, err)

	password, _ := target.User.Password()
	users, config := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", target.User.Username(), password), 0o644)) //nolint:gosec // the server's user reads it
	lines := append([]string{
		"[databases]", fmt.Sprintf("* = host=%s port=%s", target.Hostname(), target.Port()),
		"[pgbouncer]", "listen_addr = 127.0.0.1", fmt.Sprint("listen_port = ", port), "unix_socket_dir =",
		"auth_type = trust", "auth_file = " + users, "pool_mode = transaction", "max_client_conn = 500",
	}, settings...)
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o644)) //nolint:gosec // the server's user reads it
	runPooler(t, program, config, credential)

	target.Host = net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", target.Host) //nolint:gosec,noctx // on loopback
		return err == nil && conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	return target.String()
}

// runPooler runs PgBouncer until the end of the test, again where it ends by itself, as
// its service does: 1.18 may when a client breaks a cancel request off.
// https://github.com/pgbouncer/pgbouncer/issues/801
func runPooler(t testing.TB, program, config string, credential *syscall.Credential) {
	t.Helper()
	var log bytes.Buffer
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			command := exec.CommandContext(ctx, program, config) //nolint:gosec // our own arguments
			command.Stdout, command.Stderr = &log, &log
			command.Dir = filepath.Dir(config)
			command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
			fmt.Fprintln(&log, command.Run())
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		if t.Failed() {
			t.Logf("PgBouncer: %s", &log)
		}
	})
}

// poolerBinary finds PgBouncer: Debian keeps it out of an ordinary user's PATH.
func poolerBinary() (string, error) {
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/pgbouncer"
	if _, err := os.Stat(debian); err != nil {
		return "", errors.New("no PgBouncer")
	}
	return debian, nil
}
