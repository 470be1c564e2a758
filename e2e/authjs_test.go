package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// authJSApp has four users and lets the page's code delete the first. The second one's
// deletion is rolled back, the third goes by SQL, the fourth signs out.
const authJSApp = `
import pg from 'pg';
import PostgresAdapter from '@auth/pg-adapter';
import { deleteUser } from './page.mjs';

const pool = new pg.Pool({ connectionString: process.env.AUTH_ADMIN_URL });
const adapter = PostgresAdapter(pool);
const users = [];
for (const name of ['first', 'second', 'third', 'fourth']) {
  const user = await adapter.createUser({ name, email: name + '@example.com', emailVerified: null });
  await adapter.linkAccount({ userId: user.id, type: 'oauth', provider: 'github', providerAccountId: name, expires_at: 1 });
  await adapter.createSession({ userId: user.id, sessionToken: name, expires: new Date() });
  users.push(user);
}
await deleteUser(pool, users[0].id);
const client = await pool.connect();
await client.query('BEGIN');
await PostgresAdapter(client).deleteUser(users[1].id);
await client.query('ROLLBACK');
client.release();
await pool.query('DELETE FROM users WHERE id = $1', [users[2].id]);
await adapter.deleteSession('fourth');
await adapter.unlinkAccount({ provider: 'github', providerAccountId: 'fourth' });
await pool.end();
`

func TestAuthJSThroughItsAdapter(t *testing.T) {
	t.Parallel()
	auth := databasetest.Postgres(t)
	tables, err := os.ReadFile("../internal/authdatabase/testdata/tables/authjs.sql")
	require.NoError(t, err)
	_, err = databasetest.Handle(t, auth).ExecContext(t.Context(), string(tables))
	require.NoError(t, err)
	env, a := withOutbox(t, databasetest.SQLite(t), auth, "AUTH_DATABASE_SCHEMA=authjs")
	for _, id := range []string{"1", "2", "3", "4"} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	}
	runInOfficial(t, "AUTH_ADMIN_URL="+auth, map[string]string{
		"page.mjs": codeBlock(t, "../docs/providers/authjs.md", "js"),
		"app.mjs":  authJSApp,
	})
	env.start(t)
	env.waitDeleted(t, []string{"1", "3"}, time.Minute)
	a.requireEmptyOutbox(t)
	require.Equal(t, 2, env.deletes())
	require.Len(t, env.polar.Customers(), 2)
}

// runInOfficial runs app.mjs of the files with the npm packages of official/.
func runInOfficial(t *testing.T, variable string, files map[string]string) {
	t.Helper()
	packages, err := filepath.Abs("official/node_modules")
	require.NoError(t, err)
	require.DirExists(t, packages, "the official libraries are not installed: run make official")
	dir := t.TempDir()
	require.NoError(t, os.Symlink(packages, filepath.Join(dir, "node_modules")))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	app := exec.CommandContext(t.Context(), officialNode(t), "app.mjs")
	app.Dir, app.Env = dir, append(os.Environ(), variable)
	output, err := app.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
