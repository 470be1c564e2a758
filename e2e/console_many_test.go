package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

const consolePassword = "marker-secret-console-password"

// Each page of the console comes within 300 ms beside a server with 100,000 deletions,
// and takes little memory.
func TestManyDeletionsInTheConsole(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const many = 100_000
		storeMany(t, database, many)
		env := newEnvironment(t, database, "ADMIN_PASSWORD="+consolePassword)
		p := env.start(t)

		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Jar: jar}
		response, err := client.PostForm(p.operator+"/ui/login", url.Values{"name": {"alice"}, "password": {consolePassword}})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		before := p.metric(t, "process_resident_memory_bytes")
		for _, path := range []string{
			"/ui/", "/ui/deletions", "/ui/deletions?order=oldest", "/ui/deletions?state=held&reason=team&order=oldest", "/ui/deletions?state=held",
			"/ui/deletions?state=done&outcome=deleted", "/ui/deletions?state=cancelled", "/ui/deletions?outcome=not_found", "/ui/deletions?q=user_7", "/ui/deletions?q=evt_77777",
			"/ui/deletions?q=cus_70", "/ui/deletions?q=nobody", "/ui/deletions?from=2999-01-01", "/ui/deletions?to=2020-01-01", "/ui/deletions?provider=auth0",
			"/ui/deletions/99990", "/ui/request", "/ui/pause",
		} {
			const bound = 300 * time.Millisecond
			fastest := time.Hour
			for first := time.Now(); fastest >= bound && time.Since(first) < patience; { // other tests run beside it
				began := time.Now()
				response, err := client.Get(p.operator + path)
				require.NoError(t, err)
				page, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				fastest = min(fastest, time.Since(began))
				require.Equal(t, path, response.Request.URL.RequestURI())
				require.Equal(t, http.StatusOK, response.StatusCode)
				require.Less(t, len(page), 128<<10)
			}
			t.Logf("%s %v", path, fastest)
			require.Less(t, fastest, bound, path)
		}
		// As many as one question may be about, and no more.
		response, err = client.PostForm(p.operator+"/ui/choose", url.Values{"verb": {"cancel"}, "which": {"all"}, "filter": {"state=held"}})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		response, err = client.PostForm(response.Request.URL.String(), url.Values{"number": {"10000"}, "because": {"a wrong import"}})
		require.NoError(t, err)
		page, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Contains(t, string(page), "10000 deletions cancelled.")
		p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, many/5-10_000, 30*time.Second)
		const most = 64 << 20
		require.Less(t, p.metric(t, "process_resident_memory_bytes"), before+most)
	})
}

// storeMany stores finished deletions, of which each fifth is held, over years.
func storeMany(t *testing.T, database string, many int) {
	t.Helper()
	db := databasetest.OpenMigrated(t, database)
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, hold_reason, held_at, outcome, finished_at, customer_id, result, polar_status)
		SELECT 'k' || i, 'clerk', 'evt_' || i, FALSE, '', 'webhook', '', 'user_' || i, 'user_' || i, '', at, at,
			CASE WHEN held THEN 'held' ELSE 'done' END, CASE WHEN held THEN 'team' ELSE '' END, CASE WHEN held THEN at ELSE 0 END,
			CASE WHEN held THEN '' ELSE 'deleted' END, CASE WHEN held THEN 0 ELSE at END, 'cus_' || i, 'deleted', 204
		FROM (SELECT i, i %% 5 = 0 AS held, %[2]d - CAST(%[1]d - i AS bigint) * 864000 AS at FROM n) AS rows`, many, time.Now().UnixMicro()))
	require.NoError(t, err)
	_, err = db.Main.ExecContext(t.Context(), "ANALYZE") // as Postgres does by itself within a minute
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
