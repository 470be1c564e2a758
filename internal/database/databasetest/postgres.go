// Package databasetest gives tests real databases: a SQLite file and a
// Postgres server of their own, started once per test binary.
//
// It must not be imported by the program itself.
package databasetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// urlVariable names a running Postgres whose user may create databases. Main
// sets it for the tests below it; set by hand, no server is started.
const urlVariable = "TEST_DATABASE_URL"

// Main runs a package's tests with a Postgres server beside them and returns
// the exit code. Where the server is not installed, tests that need it skip,
// or fail when CI is set. A goroutine that outlives the tests is a failure.
func Main(m *testing.M) int {
	if os.Getenv(urlVariable) != "" {
		return run(m)
	}
	if _, err := serverBinaries(); err != nil {
		return run(m)
	}
	url, stop, err := StartPostgres("fsync=off")
	if err != nil {
		fmt.Fprintln(os.Stderr, "databasetest:", err)
		return 1
	}
	if err := os.Setenv(urlVariable, url); err != nil {
		fmt.Fprintln(os.Stderr, "databasetest:", errors.Join(err, stop()))
		return 1
	}
	code := run(m)
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "databasetest:", err)
		return 1
	}
	return code
}

func run(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// serverBinaries finds the folder with initdb and pg_ctl: Debian keeps them out of PATH.
func serverBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL server binaries")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// StartPostgres starts a throw-away server on loopback with some settings, each
// of the form name=value, and returns the URL of its first database. stop ends
// the server and removes what it stored.
func StartPostgres(settings ...string) (url string, stop func() error, err error) {
	bin, err := serverBinaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "polar-bridge-postgres-")
	if err != nil {
		return "", nil, err
	}
	credential, err := serverUser(dir)
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	run := func(name string, args ...string) error {
		command := exec.Command(filepath.Join(bin, name), args...) //nolint:gosec,noctx // our own arguments; ends by itself
		command.Dir = dir
		command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		if err := command.Run(); err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "log")) //nolint:gosec // only for the message
			return fmt.Errorf("%s: %w: %s", name, err, log)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"); err != nil {
		return "", nil, err
	}
	options := fmt.Sprintf("-p %d -h 127.0.0.1 -c unix_socket_directories='' -c ", port) +
		strings.Join(append([]string{"max_connections=300"}, settings...), " -c ")
	if err := run("pg_ctl", "-D", data, "-l", filepath.Join(dir, "log"), "-o", options, "-w", "start"); err != nil {
		return "", nil, err
	}
	url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return url, func() error {
		return errors.Join(run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"), os.RemoveAll(dir))
	}, nil
}

// serverUser gives dir to the user postgres when we are root, because the
// server refuses root; otherwise the server runs as we do.
func serverUser(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other user is wanted
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, errors.Join(err, listener.Close())
	}
	number, err := strconv.Atoi(port)
	return number, errors.Join(err, listener.Close())
}

// databaseName makes a name for one test's database.
func databaseName(t testing.TB) string {
	t.Helper()
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(t.Name()))
	const longest = 40
	return fmt.Sprintf("t_%s_%x", safe[:min(len(safe), longest)], randomBytes())
}
