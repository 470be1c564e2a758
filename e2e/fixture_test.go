package e2e_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// store is one of the two kinds of database, with a fixture: a database as a
// release has left it. Each release adds its own, written by TestWriteFixture,
// and none is ever changed: docs/upgrade.md.
type store struct {
	fixture string
	empty   func(t testing.TB) string // URL of a new one
	save    func(t *testing.T, url string) []byte
	load    func(t *testing.T, content []byte) (url string)
}

func stores() []store {
	return []store{
		{
			fixture: "v0.1.0.db.gz", empty: databasetest.SQLite, save: saveSQLite, load: loadSQLite,
		},
		{
			fixture: "v0.1.0.sql.gz", empty: databasetest.Postgres, save: savePostgres, load: loadPostgres,
		},
	}
}

func (s store) handle(t *testing.T, url string) *sql.DB {
	t.Helper()
	if strings.HasPrefix(url, "sqlite:") {
		return handle(t, sqliteFile(url))
	}
	return databasetest.Handle(t, url)
}

func (s store) run(t *testing.T, url, statement string) {
	t.Helper()
	_, err := s.handle(t, url).ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

// states reads where the deletions stand.
func (s store) states(t *testing.T, url string) map[string]string {
	t.Helper()
	rows, err := s.handle(t, url).QueryContext(t.Context(), "SELECT event_id, state FROM polar_bridge_deletions")
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // only read
	found := map[string]string{}
	for rows.Next() {
		var eventID, state string
		require.NoError(t, rows.Scan(&eventID, &state))
		found[eventID] = state
	}
	require.NoError(t, rows.Err())
	return found
}

// unpack returns the URL of a copy of the fixture.
func (s store) unpack(t *testing.T) string {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", s.fixture))
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // only read
	packed, err := gzip.NewReader(file)
	require.NoError(t, err)
	content, err := io.ReadAll(packed)
	require.NoError(t, err)
	return s.load(t, content)
}

func saveSQLite(t *testing.T, url string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	_, err := handle(t, sqliteFile(url)).ExecContext(t.Context(), "VACUUM INTO '"+path+"'")
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func loadSQLite(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "polar-bridge.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return "sqlite:" + path
}

func savePostgres(t *testing.T, url string) []byte {
	t.Helper()
	dump, err := exec.CommandContext(t.Context(), "pg_dump", "--inserts", "--no-owner", "--no-privileges", url).Output()
	require.NoError(t, err)
	var plain bytes.Buffer
	for line := range bytes.Lines(dump) {
		if line[0] != '\\' { // meant for psql only
			plain.Write(line)
		}
	}
	return plain.Bytes()
}

func loadPostgres(t *testing.T, content []byte) string {
	t.Helper()
	url := databasetest.Postgres(t)
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), string(content))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return url
}

// The deletions in a fixture, by event id.
const (
	eventDone      = "msg_done"
	eventNotFound  = "msg_not_found"
	eventHeld      = "msg_held"
	eventWaiting   = "msg_waiting"   // never tried
	eventRetried   = "msg_retried"   // tried, and Polar failed
	eventCancelled = "msg_cancelled" // by an operator
)

// customerOf is the external id in an event of a fixture.
func customerOf(eventID string) string { return "user_of_" + eventID }

// fixtureEvent is a delivery of a fixture's event, signed now.
func fixtureEvent(t *testing.T, eventID string) delivery {
	t.Helper()
	if eventID == eventHeld { // it names nobody
		return signBody(t, eventID, `{"type":"user.deleted","data":{"object":"user","deleted":true,"id":".."}}`, time.Now())
	}
	return sign(t, "clerk", eventID, customerOf(eventID))
}

// settled is where the fixture's deletions must stand.
func settled() map[string]string {
	return map[string]string{
		eventDone: "done", eventNotFound: "done", eventHeld: "held",
		eventWaiting: "waiting", eventRetried: "waiting", eventCancelled: "cancelled",
	}
}
