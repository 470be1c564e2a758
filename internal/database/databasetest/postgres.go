// Package databasetest gives tests real databases: a SQLite file and a
// Postgres server of their own, started once per test binary.
//
// It must not be imported by the program itself.
package databasetest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// urlVariable names a running Postgres whose user may create databases. Main
// sets it for the tests below it; set by hand, no server is started.
const urlVariable = "TEST_DATABASE_URL"

// throughVariable puts something between the tests and every database: PgBouncer in
// session or in transaction mode, or an engine without LISTEN.
const throughVariable = "TEST_DATABASE_THROUGH"

// Main runs a package's tests with a Postgres server beside them and returns
// the exit code. With -short, and where the server is not installed, tests that
// need it skip; when CI is set they fail instead. A goroutine that outlives the
// tests is a failure.
func Main(m *testing.M) int {
	flag.Parse()
	if testing.Short() || os.Getenv(urlVariable) != "" {
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
		path, err = filepath.EvalSymlinks(path) // others lie beside it
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL server binaries")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// StartPostgres starts a throw-away server with some settings, each of the form
// name=value, and returns the URL of its first database. stop ends the server
// and removes what it stored.
func StartPostgres(settings ...string) (url string, stop func() error, err error) {
	bin, err := serverBinaries()
	if err != nil {
		return "", nil, err
	}
	s, err := newServer(bin, settings...)
	if err != nil {
		return "", nil, err
	}
	if err := s.start(); err != nil {
		return "", nil, errors.Join(err, s.remove())
	}
	return s.URL(), func() error { return errors.Join(s.stop(), s.remove()) }, nil
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
