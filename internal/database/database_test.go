package database_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func TestAnEmptyDatabaseIsMigratedOnce(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		db, err := database.Open(t.Context(), url, database.DefaultSchema)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()

		require.ErrorIs(t, db.CheckMigrated(t.Context()), database.ErrNotMigrated)
		require.NoError(t, db.Migrate(t.Context(), nil))
		require.NoError(t, db.CheckMigrated(t.Context()))
		require.NoError(t, db.Migrate(t.Context(), nil), "a second time changes nothing")
		require.NoError(t, db.Ping(t.Context()))
	})
}

func TestReplicasThatStartTogetherAllMigrate(t *testing.T) {
	t.Parallel()
	url := databasetest.Postgres(t)
	const replicas = 4
	results := make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		group.Go(func() {
			db, err := database.Open(t.Context(), url, database.DefaultSchema)
			if err == nil {
				err = errors.Join(db.Migrate(t.Context(), nil), db.Close())
			}
			results[i] = err
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(results...))
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"our tables":   "INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (99999, true)",
		"river's ones": "INSERT INTO river_migration (line, version) VALUES ('main', 99999)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				_, err := db.Main.ExecContext(t.Context(), statement)
				require.NoError(t, err)
				require.ErrorIs(t, db.CheckMigrated(t.Context()), database.ErrNewerSchema)
				require.ErrorIs(t, db.Migrate(t.Context(), nil), database.ErrNewerSchema)
			})
		})
	}
}

func TestASQLiteFileIsDurableAndPrivate(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)

	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	size, err := db.Size()
	require.NoError(t, err)
	require.Positive(t, size)
}

func TestTheReaderCannotWrite(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	_, err := db.Reader.ExecContext(t.Context(), "DELETE FROM river_job")
	require.ErrorContains(t, err, "readonly")
}

func TestASecondServerOfOneSQLiteFileIsRefused(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	first, second := databasetest.OpenMigrated(t, url), databasetest.OpenMigrated(t, url)

	require.NoError(t, first.Lock(t.Context()))
	require.ErrorIs(t, second.Lock(t.Context()), database.ErrLocked)

	require.NoError(t, first.Close())
	require.NoError(t, second.Lock(t.Context()))
}

func TestALinkToASQLiteFileIsTheSameFile(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/file.db"
	link := t.TempDir() + "/link.db"
	require.NoError(t, os.Symlink(path, link))
	first := databasetest.OpenMigrated(t, "sqlite:"+path)
	second := databasetest.OpenMigrated(t, "sqlite:"+link)
	require.NoError(t, first.Lock(t.Context()))
	require.ErrorIs(t, second.Lock(t.Context()), database.ErrLocked)
}

func TestTheDigestKeyIsTheSameForAll(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		first, err := db.DigestKey(t.Context())
		require.NoError(t, err)
		require.Len(t, first, 32)
		second, err := db.DigestKey(t.Context())
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
}

func TestUnusableURLsAreRefusedWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "mysql://u:marker-secret@h/d", "sqlite:", "sqlite::memory:",
		"postgres://user:marker-secret@host:port/%zz", "sqlite:/does/not/exist/marker.db",
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			_, err := database.Open(t.Context(), url, database.DefaultSchema)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "marker-secret")
		})
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/notes.txt"
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("this is not a database. ", 500)), 0o600))
	_, err := database.Open(t.Context(), "sqlite:"+path, database.DefaultSchema)
	require.ErrorContains(t, err, "not a database")
}
