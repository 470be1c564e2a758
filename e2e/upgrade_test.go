package e2e_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// fixture is a database as a release has left it. Each release adds its own,
// written by TestWriteFixture, and none is ever changed: docs/upgrade.md.
const fixture = "testdata/v0.1.0.db.gz"

// fixtureVariable names the file that TestWriteFixture writes.
const fixtureVariable = "POLAR_BRIDGE_WRITE_FIXTURE"

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

// settled is where the fixture's deletions must stand, in River's words.
func settled() map[string]string {
	return map[string]string{
		eventDone: "completed", eventNotFound: "completed", eventHeld: "scheduled",
		eventWaiting: "available", eventRetried: "retryable", eventCancelled: "cancelled",
	}
}

// states reads where the deletions stand.
func states(t *testing.T, path string) map[string]string {
	t.Helper()
	rows, err := handle(t, path).QueryContext(t.Context(), "SELECT args ->> '$.event_id', state FROM river_job")
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

// TestWriteFixture writes a database for a release that is about to be made.
func TestWriteFixture(t *testing.T) {
	t.Parallel()
	target := os.Getenv(fixtureVariable)
	if target == "" {
		t.Skip(fixtureVariable + " is not set")
	}
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "polar-bridge.db"), "POLAR_CONCURRENCY=1")
	for _, eventID := range []string{eventDone, eventCancelled} {
		w.polar.AddCustomer(polartest.Customer{ExternalID: customerOf(eventID)})
	}
	p := w.start(t)
	for _, eventID := range []string{eventDone, eventNotFound, eventHeld} {
		p.deliver(t, fixtureEvent(t, eventID), http.StatusAccepted)
	}
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`, 1, 20*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 20*time.Second)
	w.polar.SetFault(polartest.Gateway(http.StatusServiceUnavailable))
	p.deliver(t, fixtureEvent(t, eventRetried), http.StatusAccepted)
	path := sqliteFile(w.database)
	require.Eventually(t, func() bool { return states(t, path)[eventRetried] == "retryable" }, 20*time.Second, 10*time.Millisecond)
	// With Polar stopped in the middle of a call nobody touches what comes next.
	w.polar.SetFault(polartest.Hang())
	for _, eventID := range []string{eventWaiting, eventCancelled} {
		p.deliver(t, fixtureEvent(t, eventID), http.StatusAccepted)
	}
	require.Zero(t, p.terminate(t))
	db := handle(t, path)
	for _, statement := range []string{
		"UPDATE river_job SET state = 'cancelled', finalized_at = datetime('now', 'subsec') WHERE args ->> '$.event_id' = '" + eventCancelled + "'",
		"UPDATE river_job SET state = 'available', attempt = 0, errors = NULL WHERE args ->> '$.event_id' = '" + eventWaiting + "'",
		"UPDATE river_job SET state = 'retryable' WHERE args ->> '$.event_id' = '" + eventRetried + "'",
		"DELETE FROM river_leader",
		"VACUUM INTO '" + path + ".copy'",
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	require.Equal(t, settled(), states(t, path+".copy"))
	pack(t, path+".copy", target)
}

func pack(t *testing.T, source, target string) {
	t.Helper()
	content, err := os.ReadFile(source)
	require.NoError(t, err)
	file, err := os.Create(target)
	require.NoError(t, err)
	packed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	require.NoError(t, err)
	_, err = packed.Write(content)
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	require.NoError(t, file.Close())
}

// unpack returns the URL of a copy of the fixture.
func unpack(t *testing.T) string {
	t.Helper()
	file, err := os.Open(fixture)
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // only read
	packed, err := gzip.NewReader(file)
	require.NoError(t, err)
	content, err := io.ReadAll(packed)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "polar-bridge.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return "sqlite:" + path
}

func TestADatabaseOfTheFirstReleaseIsReadAndFinished(t *testing.T) {
	t.Parallel()
	// The fixture grows old: by default what is finished would be cleaned away.
	w := newWorld(t, unpack(t), "RETENTION=876000h")
	path := sqliteFile(w.database)
	require.Equal(t, settled(), states(t, path))
	for eventID := range settled() {
		w.polar.AddCustomer(polartest.Customer{ExternalID: customerOf(eventID)})
	}
	p := w.start(t)
	w.waitDeleted(t, []string{customerOf(eventWaiting), customerOf(eventRetried)}, time.Minute)
	p.waitMetric(t, `polar_bridge_deletions{state="waiting"}`, 0, time.Minute)
	require.InDelta(t, 1, p.metric(t, `polar_bridge_deletions{state="held"}`), 0)
	for eventID := range settled() {
		require.Contains(t, p.deliver(t, fixtureEvent(t, eventID), http.StatusOK), `"status":"duplicate"`, eventID)
	}
	want := settled()
	want[eventWaiting], want[eventRetried] = "completed", "completed"
	require.Equal(t, want, states(t, path))
	require.Equal(t, 2, w.polar.Calls())

	// It goes on as any other database does.
	p.deliver(t, sign(t, "clerk", "msg_new", customerOf(eventDone)), http.StatusAccepted)
	w.waitDeleted(t, []string{customerOf(eventDone)}, time.Minute)
}

func TestAProgramThatIsOlderThanTheTablesDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"our tables":         "INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (99999, 1)",
		"the queue's tables": "INSERT INTO river_migration (line, version) VALUES ('main', 99999)",
	} {
		for _, command := range []string{"serve", "migrate"} {
			t.Run(fmt.Sprint(name, " ", command), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, unpack(t))
				_, err := handle(t, sqliteFile(w.database)).ExecContext(t.Context(), statement)
				require.NoError(t, err)
				require.Contains(t, w.refused(t, command), "the database was migrated by a newer polar-bridge; start that version, or restore the backup made before the upgrade")
				require.Equal(t, settled(), states(t, sqliteFile(w.database)))
				require.Zero(t, w.polar.Calls())
			})
		}
	}
}

func TestAReplicaThatDoesNotMigrateRefusesOldTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databasetest.SQLite(t), "AUTO_MIGRATE=false")
	require.Contains(t, w.refused(t, "serve"), "run: polar-bridge migrate")
	<-w.launch(t, "migrate").exited
	w.start(t)
}
