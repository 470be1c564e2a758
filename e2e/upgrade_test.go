package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestADatabaseOfTheFirstReleaseIsReadAndFinished(t *testing.T) {
	t.Parallel()
	for _, s := range stores() {
		t.Run(s.fixture, func(t *testing.T) {
			t.Parallel()
			// The fixture grows old: by default what is finished would be cleaned away.
			env := newEnvironment(t, s.unpack(t), "RETENTION=87600h")
			require.Equal(t, settled(), s.states(t, env.database))
			for eventID := range settled() { // older than the fixture, however old it is
				env.polar.AddCustomer(polartest.Customer{ExternalID: customerOf(eventID), CreatedAt: time.Unix(0, 0)})
			}
			p := env.start(t)
			env.waitDeleted(t, []string{customerOf(eventWaiting), customerOf(eventRetried)}, time.Minute)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
			require.InDelta(t, 1, p.metric(t, `polar_bridge_deletions_pending{state="held"}`), 0)
			for eventID := range settled() {
				require.Contains(t, p.deliver(t, fixtureEvent(t, eventID), http.StatusOK), `"status":"duplicate"`, eventID)
			}
			want := settled()
			want[eventWaiting], want[eventRetried] = "done", "done"
			// Its verification was still to come, and the customer is there again.
			want[eventDone] = "reappeared"
			p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 1, time.Minute)
			require.Equal(t, want, s.states(t, env.database))
			require.Equal(t, 2, env.deletes())

			// It goes on as any other database does.
			p.deliver(t, sign(t, "clerk", "msg_new", customerOf(eventDone)), http.StatusAccepted)
			env.waitDeleted(t, []string{customerOf(eventDone)}, time.Minute)
		})
	}
}

func TestADatabaseFromBeforeTheFirstReleaseIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range stores() {
		for _, command := range []string{"serve", "migrate"} {
			env := newEnvironment(t, s.empty(t))
			s.run(t, env.database, "CREATE TABLE polar_bridge_slots (name text PRIMARY KEY)")
			require.Contains(t, env.refused(t, command), "the database was made by a polar-bridge from before 0.1.0")
			require.Zero(t, env.calls())
		}
	}
}

func TestAProgramThatIsOlderThanTheTablesDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"our tables":         "INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (99999, true)",
		"the queue's tables": "INSERT INTO river_migration (line, version) VALUES ('main', 99999)",
	} {
		for _, command := range []string{"serve", "migrate"} {
			t.Run(fmt.Sprint(name, " ", command), func(t *testing.T) {
				t.Parallel()
				for _, s := range stores() {
					env := newEnvironment(t, s.unpack(t))
					s.run(t, env.database, statement)
					require.Contains(t, env.refused(t, command), "the database was migrated by a newer polar-bridge; start that version, or restore the backup made before the upgrade")
					require.Equal(t, settled(), s.states(t, env.database))
					require.Zero(t, env.calls())
				}
			})
		}
	}
}

func TestAReplicaThatDoesNotMigrateRefusesOldTables(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "AUTO_MIGRATE=false")
	require.Contains(t, env.refused(t, "serve"), "run: polar-bridge migrate")
	<-env.launch(t, "migrate").exited
	env.start(t)
}
