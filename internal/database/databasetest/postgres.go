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
// tests is a failure. No process and no file outlives them, even when they are killed.
// What has to be done before comes first.
func Main(m *testing.M, before ...func() error) int {
	flag.Parse()
	code, err := contained(m, before)
	if err != nil {
		fmt.Fprintln(os.Stderr, "databasetest:", err)
		return 1
	}
	return code
}

func contained(m *testing.M, before []func() error) (code int, err error) {
	release, err := contain()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	for _, do := range before {
		if err := do(); err != nil {
			return 0, err
		}
	}
	if testing.Short() || os.Getenv(urlVariable) != "" {
		return run(m), nil
	}
	if _, err := serverBinaries(); err != nil {
		return run(m), nil // tests that need it say so
	}
	url, stop, err := StartPostgres("fsync=off")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := os.Setenv(urlVariable, url); err != nil {
		return 0, err
	}
	return run(m), nil
}

func run(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var errNoServer = errors.New("no PostgreSQL server is installed")

// serverBinaries finds the folder with initdb and pg_ctl: Debian keeps them out of PATH.
func serverBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		path, err = filepath.EvalSymlinks(path) // others lie beside it
		return filepath.Dir(path), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNoServer
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
