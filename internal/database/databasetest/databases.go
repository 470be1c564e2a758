package databasetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx", too
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// Each runs test on a migrated SQLite database and on a migrated Postgres one,
// in parallel.
func Each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) {
		t.Helper()
		test(t, OpenMigrated(t, url))
	})
}

// EachURL runs test with the URL of an empty SQLite and an empty Postgres
// database, in parallel.
func EachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite returns the URL of a SQLite file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "polar bridge?.db")
}

// Postgres returns the URL of a new, empty database that is dropped afterwards.
func Postgres(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves PostgreSQL out")
	}
	server := os.Getenv(urlVariable)
	if server == "" {
		need(t, errNoServer)
	}
	admin, err := sql.Open("pgx", server)
	require.NoError(t, err)
	name := databaseName(t)
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	address, err := url.Parse(server)
	require.NoError(t, err)
	address.Path = "/" + name
	return through(t, address.String())
}

// need skips the test where what it needs is not installed, or fails it when CI is set.
func need(t testing.TB, missing error) {
	t.Helper()
	if missing != nil && os.Getenv("CI") == "" {
		t.Skipf("%s; make test installs it", missing)
	}
	require.NoError(t, missing)
}

// through offers a database the way that throughVariable names.
func through(t testing.TB, database string) string {
	t.Helper()
	switch way := os.Getenv(throughVariable); way {
	case "":
		return database
	case "session", "transaction":
		return Pooler(t, database, "pool_mode = "+way, "default_pool_size = 100") // in session mode each replica takes its own
	case "no-listen":
		return WithoutListen(t, database, ListenRefused) // at once: whether one ignores it is known after seconds
	default:
		t.Fatalf("%s is %q: session, transaction or no-listen", throughVariable, way)
		return ""
	}
}

// Handle returns a handle to a Postgres database for what a test says in SQL of its own.
// Nothing is prepared: it works through a transaction pooler.
func Handle(t testing.TB, address string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	require.NoError(t, err)
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// OpenMigrated opens and migrates the database and closes it after the test.
func OpenMigrated(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), url, database.DefaultSchema)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, db.Migrate(t.Context(), nil))
	return db
}

func randomBytes() []byte {
	const unique = 6
	random := make([]byte, unique)
	_, _ = rand.Read(random)
	return random
}
