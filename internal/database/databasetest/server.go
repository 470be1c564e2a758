package databasetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Server is a Postgres server on loopback that may crash and come back on the
// same port. It does not sync: only the machine's own crash would lose data.
type Server struct {
	bin, dir   string
	settings   []string
	port       string
	credential *syscall.Credential
	remove     func() error
}

// NewServer starts a server of the test's own and removes it afterwards. Where
// no server is installed the test skips, or fails when CI is set.
func NewServer(t testing.TB) *Server {
	t.Helper()
	bin, err := serverBinaries()
	need(t, err)
	s, err := newServer(bin, "fsync=off")
	require.NoError(t, err)
	s.Start(t)
	t.Cleanup(func() {
		_ = s.stop() // it may be stopped already
		require.NoError(t, s.remove())
	})
	return s
}

// Replica starts a server that follows this one, and removes it afterwards.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	port, err := FreePort()
	require.NoError(t, err)
	replica := *s
	replica.dir, err = os.MkdirTemp("/tmp", "polar-bridge-replica-") //nolint:usetesting // its owner may not enter t.TempDir
	require.NoError(t, err)
	replica.port, replica.settings = port, append(slices.Clone(s.settings), "hot_standby=on")
	_, err = serverUser(replica.dir)
	require.NoError(t, err)
	replica.remove, err = replica.watch()
	require.NoError(t, err)
	require.NoError(t, replica.run("pg_basebackup", "-D", replica.data(), "-R", "-c", "fast", "-d", s.URL()))
	replica.Start(t)
	t.Cleanup(func() {
		require.NoError(t, replica.stop())
		require.NoError(t, replica.remove())
	})
	return &replica
}

// URL names the server's empty database.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", s.Address())
}

// Address is the server's host and port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// Stop ends the server as a crash does.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, s.stop())
}

// Start starts the server again.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, s.start())
}

func newServer(bin string, settings ...string) (*Server, error) {
	dir, err := os.MkdirTemp("/tmp", "polar-bridge-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, settings: settings}
	if s.credential, err = serverUser(dir); err != nil {
		return nil, err
	}
	if s.remove, err = s.watch(); err != nil {
		return nil, err
	}
	if s.port, err = FreePort(); err != nil {
		return nil, err
	}
	return s, s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
}

func (s *Server) start() error {
	// What a test says in SQL of its own needs no schema.
	options := fmt.Sprintf("-p %s -h 127.0.0.1 -c unix_socket_directories='' -c ", s.port) +
		strings.Join(append([]string{"max_connections=300", "search_path=polar_bridge,public"}, s.settings...), " -c ")
	return s.run("pg_ctl", "-D", s.data(), "-l", filepath.Join(s.dir, "log"), "-o", options, "-w", "start")
}

func (s *Server) stop() error {
	return s.run("pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop")
}

// watch makes sure that neither server nor folder outlives the tests. The server has to
// end before its folder does, so neither is in the folder of this run.
func (s *Server) watch() (remove func() error, err error) {
	return watch(s.credential, `cat; "$0/pg_ctl" -D "$1/data" -m immediate -w stop; rm -rf "$1"`, s.bin, s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// run runs one of the server's programs to its end.
func (s *Server) run(name string, args ...string) error {
	command := exec.Command(filepath.Join(s.bin, name), args...) //nolint:gosec,noctx // our own arguments; ends by itself
	command.Dir = s.dir
	command.Env = []string{"PATH=" + s.bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	if err := command.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // only for the message
		return fmt.Errorf("%s: %w: %s", name, err, log)
	}
	return nil
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

// FreePort returns a port of loopback on which nobody listens. It is none of those that the
// kernel gives to whoever connects or listens without asking for one, so that it stays free
// until it is used, and while it is not.
func FreePort() (port string, err error) {
	const lowest, ports = 10_000, 20_000
	for {
		port = strconv.Itoa(lowest + rand.IntN(ports))                          //nolint:gosec // anybody may guess it
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)) //nolint:noctx // closed at once
		if err == nil {
			return port, listener.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}
