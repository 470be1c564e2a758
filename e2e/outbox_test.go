package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

const (
	outboxBlocked   = `polar_bridge_outbox_blocked{reason=%q}`
	outboxDuplicate = `polar_bridge_events_total{outcome="duplicate",provider="better-auth"}`
	outboxAccepted  = `polar_bridge_events_total{outcome="accepted",provider="better-auth"}`
)

// withOutbox is an environment that has nothing but the outbox.
func withOutbox(t *testing.T, database, auth string, settings ...string) (*environment, *authDatabase) {
	t.Helper()
	env, a := withAuthDatabase(t, database, auth, append([]string{"AUTH_DATABASE_OUTBOX=true"}, settings...)...)
	for _, webhook := range []string{"CLERK_WEBHOOK_SIGNING_SECRET", "AUTH0_WEBHOOK_TOKEN", "AUTH0_LOGS_TOKEN", "AUTH0_LOGS_UNCONFIRMED"} {
		delete(env.settings, webhook)
	}
	return env, a
}

func (a *authDatabase) deleteUsers(t *testing.T, ids ...string) {
	t.Helper()
	a.run(t, `DELETE FROM public."user" WHERE id = ANY ($1)`, ids)
}

// requireEmptyOutbox waits until every row was read.
func (a *authDatabase) requireEmptyOutbox(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		return a.QueryRowContext(t.Context(), "SELECT count(*) FROM polar_bridge.outbox").Scan(&n) == nil && n == 0
	}, 10*time.Minute, 50*time.Millisecond)
}

func (p *process) ready(t *testing.T) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/readyz", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode == http.StatusOK
}

func TestADeletedUserIsDeletedAtPolarByTheOutboxAlone(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, a := withOutbox(t, database, databasetest.Postgres(t), "CONFIRM=false")
		ids := a.populate(t, env, 30)
		p := env.start(t)

		a.deleteUsers(t, ids[:10]...)
		a.run(t, `BEGIN; DELETE FROM public."user"; ROLLBACK`)
		a.run(t, `BEGIN; DELETE FROM public."user" WHERE id = '`+ids[20]+`'; INSERT INTO public."user" VALUES ('`+ids[20]+`'); COMMIT`)
		env.waitDeleted(t, ids[:10], 30*time.Second)
		held := env.deletion(t, ids[20], "held")
		require.Equal(t, "user_exists", held.HoldReason, "CONFIRM is off, and a row is a claim all the same")
		require.Equal(t, "better-auth", held.Provider)
		a.requireEmptyOutbox(t)
		require.Len(t, env.polar.Customers(), 20)
		require.Equal(t, 10, env.deletes())
		p.waitMetric(t, outboxAccepted, 11, time.Minute)
		require.Zero(t, p.metric(t, outboxDuplicate))
		require.Zero(t, p.terminate(t))
	})
}

func TestTheOutboxIsReadAfterTheAuthDatabaseWasAway(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	env, a := withOutbox(t, databasetest.SQLite(t), server.URL())
	ids := a.populate(t, env, 20)
	a.deleteUsers(t, ids[:5]...)
	server.Stop(t)
	p := env.start(t) // it starts all the same
	p.waitMetric(t, fmt.Sprintf(outboxBlocked, "unavailable"), 1, 20*time.Second)
	require.True(t, p.ready(t), "the auth database is not ours")
	p.says(t, "outbox cannot be read")
	server.Start(t)
	env.waitDeleted(t, ids[:5], 30*time.Second)

	server.Stop(t)
	p.waitMetric(t, fmt.Sprintf(outboxBlocked, "unavailable"), 1, 20*time.Second)
	require.True(t, p.ready(t))
	server.Start(t)
	require.Eventually(t, func() bool { return a.PingContext(t.Context()) == nil }, patience, 50*time.Millisecond)
	a.deleteUsers(t, ids[5:10]...)
	env.waitDeleted(t, ids[5:10], 30*time.Second)
	p.waitMetric(t, fmt.Sprintf(outboxBlocked, "unavailable"), 0, 20*time.Second)
	require.Len(t, env.polar.Customers(), 10)
}

func TestTheOutboxIsNotReadWithoutTheRightToDeleteRows(t *testing.T) {
	t.Parallel()
	env, a := withOutbox(t, databasetest.SQLite(t), databasetest.Postgres(t))
	ids := a.populate(t, env, 5)
	p := env.start(t)
	p.waitMetric(t, fmt.Sprintf(outboxBlocked, "refused"), 0, 20*time.Second)
	a.run(t, "REVOKE EXECUTE ON FUNCTION polar_bridge.done(uuid[]) FROM polar_bridge")
	p.waitMetric(t, fmt.Sprintf(outboxBlocked, "refused"), 1, 20*time.Second)
	a.deleteUsers(t, ids[0])
	p.says(t, "outbox cannot be read")
	require.True(t, p.ready(t))
	require.Zero(t, p.metric(t, outboxAccepted))
	a.run(t, env.bridge(t, 0, "outbox", "sql")) // what the log says to do
	env.waitDeleted(t, ids[:1], time.Minute)
	p.says(t, "outbox can be read again")
}

func TestReplicasShareTheOutbox(t *testing.T) {
	t.Parallel()
	const users, left = 600, 500
	env, a := withOutbox(t, databasetest.Postgres(t), databasetest.Postgres(t))
	ids := a.populate(t, env, users)
	first, second := env.start(t), env.start(t)
	for chunk := range slices.Chunk(ids[:left], 50) {
		a.deleteUsers(t, chunk...)
	}
	a.requireEmptyOutbox(t)
	first.kill() // in the middle of its attempts
	third := env.start(t)
	env.waitDeleted(t, ids[:left], 2*time.Minute)
	require.Len(t, env.polar.Customers(), users-left)
	require.Zero(t, second.metric(t, outboxDuplicate)+third.metric(t, outboxDuplicate))
}

func TestARestoredAuthDatabaseDeletesNobodyWhoLives(t *testing.T) {
	t.Parallel()
	env, a := withOutbox(t, databasetest.SQLite(t), databasetest.Postgres(t))
	ids := a.populate(t, env, 20)
	backup := databasetest.Dump(t, a.url.String())
	env.bridge(t, 0, "migrate")
	env.bridge(t, 0, "deletions", "pause")
	p := env.start(t)
	a.deleteUsers(t, ids[:5]...)
	a.requireEmptyOutbox(t)
	databasetest.Restore(t, a.url.String(), backup) // everybody lives again
	a.SetMaxIdleConns(0)                            // their server processes have ended
	env.bridge(t, 0, "deletions", "resume")
	for _, id := range ids[:5] {
		require.Equal(t, "user_exists", env.deletion(t, id, "held").HoldReason)
	}
	require.Len(t, env.polar.Customers(), 20)
	require.Zero(t, env.deletes())

	a.deleteUsers(t, ids[7]) // and the restored outbox works
	env.waitDeleted(t, ids[7:8], 30*time.Second)
	require.Zero(t, p.terminate(t))
}

func TestOutboxCheckAndDoctorSayWhetherDeletionsCome(t *testing.T) {
	t.Parallel()
	env, a := withOutbox(t, databasetest.SQLite(t), databasetest.Postgres(t))
	ids := a.populate(t, env, 3)
	env.bridge(t, 0, "migrate")
	require.Contains(t, env.bridge(t, 0, "outbox", "check"), `Deletions from "public"."user" in the database`)
	rehearsed := env.bridge(t, 0, "outbox", "check", "--admin-url", a.url.String(), "--user-id", ids[0])
	require.Contains(t, rehearsed, "The deletion of that user was recorded, and was rolled back.")
	require.Contains(t, env.bridge(t, 0, "doctor"), "are recorded, and rows of the outbox can be read and deleted")
	require.Contains(t, env.fails(t, "outbox", "check", "--admin-url", a.url.String(), "--user-id", "nobody"), "does not know this user")

	a.run(t, `ALTER TABLE public."user" DISABLE TRIGGER polar_bridge_deleted; GRANT INSERT ON polar_bridge.outbox TO PUBLIC`)
	said := env.fails(t, "outbox", "check")
	require.Contains(t, said, `the trigger polar_bridge_deleted on "public"."user" is missing or disabled`)
	require.Contains(t, said, "PUBLIC (outbox)")
	require.Contains(t, said, "2 faults; run there what polar-bridge outbox sql prints")
	require.Contains(t, env.bridge(t, 1, "doctor"), "is missing or disabled")
	require.Contains(t, env.bridge(t, 1, "outbox", "check", "--json"), `"ok":false`)

	a.run(t, env.bridge(t, 0, "outbox", "sql"))
	env.bridge(t, 0, "outbox", "check")
	var left int
	require.NoError(t, a.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM public."user") + (SELECT count(*) FROM polar_bridge.outbox)`).Scan(&left))
	require.Equal(t, 3, left, "nobody was deleted, and nothing recorded")
}
