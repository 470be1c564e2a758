package databasetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Pooler returns the URL under which a PgBouncer of the test's own offers the
// database that a URL of Postgres names. Settings, each of the form name = value,
// come on top of transaction mode. Requests to cancel do not get there: versions before
// 1.20 end when a client breaks one off, as a process does that ends.
// Where PgBouncer is not installed the test skips, or fails when CI is set.
//
// https://github.com/pgbouncer/pgbouncer/issues/801
// https://github.com/pgbouncer/pgbouncer/issues/904
func Pooler(t testing.TB, database string, settings ...string) string {
	t.Helper()
	program, err := poolerBinary()
	need(t, err)
	target, err := url.Parse(database)
	require.NoError(t, err)
	port, err := FreePort()
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "polar-bridge-pgbouncer-") //nolint:usetesting // t.TempDir is closed to the server's user
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	credential, err := serverUser(dir)
	require.NoError(t, err)

	password, _ := target.User.Password()
	users, config := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", target.User.Username(), password), 0o644)) //nolint:gosec // the server's user reads it
	lines := append([]string{
		"[databases]", fmt.Sprintf("* = host=%s port=%s", target.Hostname(), target.Port()),
		"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + port, "unix_socket_dir =",
		// Other roles than the URL's are the server's own.
		"auth_type = trust", "auth_file = " + users, "auth_user = " + target.User.Username(), "log_connections = 0", "log_disconnections = 0", "pool_mode = transaction", "max_client_conn = 500",
	}, settings...)
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o644)) //nolint:gosec // the server's user reads it
	runPooler(t, program, config, credential)

	target.Host = net.JoinHostPort("127.0.0.1", port)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", target.Host) //nolint:gosec,noctx // on loopback
		return err == nil && conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	return proxied(t, target.String(), forwardNoCancel)
}

// runPooler runs PgBouncer until the end of the test.
func runPooler(t testing.TB, program, config string, credential *syscall.Credential) {
	t.Helper()
	var log bytes.Buffer
	command := exec.Command(program, config) //nolint:gosec,noctx // our own arguments; killed below
	command.Stdout, command.Stderr = &log, &log
	command.Dir = filepath.Dir(config)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill() // unless it ended by itself
		_ = command.Wait()
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
		return "", errors.New("PgBouncer is not installed")
	}
	return debian, nil
}
