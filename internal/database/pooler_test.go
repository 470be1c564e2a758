package database_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestATransactionPoolerIsNoticed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		address func(t *testing.T, direct string) string
		pooled  bool
		hears   bool
	}{
		"no pooler": {func(_ *testing.T, direct string) string { return direct }, false, true},
		"an engine that refuses LISTEN": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.WithoutListen(t, direct, databasetest.ListenRefused)
		}, false, false},
		"an engine that ignores LISTEN": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.WithoutListen(t, direct, databasetest.ListenIgnored)
		}, false, false},
		"a session pooler": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.Pooler(t, direct, "pool_mode = session")
		}, false, true},
		"a transaction pooler": {func(t *testing.T, direct string) string { t.Helper(); return databasetest.Pooler(t, direct) }, true, false},
		"one that takes turns": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.Pooler(t, direct, "server_round_robin = 1", "min_pool_size = 5")
		}, true, false},
		"one with a single connection": {func(t *testing.T, direct string) string {
			t.Helper()
			return databasetest.Pooler(t, direct, "default_pool_size = 1")
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := database.Open(t.Context(), tt.address(t, databasetest.Postgres(t)), database.DefaultSchema)
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			require.Equal(t, tt.pooled, db.Pooled())
			require.Equal(t, tt.hears, db.Notified())
			require.Equal(t, tt.hears, db.Driver().SupportsListener())
		})
	}
}

func TestAStatementPoolerIsRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := database.Open(t.Context(), databasetest.Pooler(t, databasetest.Postgres(t), "pool_mode = statement"), database.DefaultSchema)
	require.ErrorContains(t, err, "set its pool_mode to transaction or session")
}

func TestReplicasThatStartAtOnceMigrateOneAfterTheOther(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"through a pooler":                      nil,
		"through a pooler with two connections": {"default_pool_size = 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := databasetest.Pooler(t, databasetest.Postgres(t), settings...)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					db, err := database.Open(t.Context(), address, database.DefaultSchema)
					if err == nil {
						err = db.Migrate(t.Context(), nil)
					}
					if err != nil {
						t.Error(err)
						return
					}
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			db := databasetest.OpenMigrated(t, address)
			require.NoError(t, db.CheckMigrated(t.Context()))
		})
	}
}

func TestAMigrationSaysThatItWaitsAndLooksBeforeItLocks(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	holder, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, holder.Close()) }()
	session, err := holder.Main.Conn(t.Context())
	require.NoError(t, err)
	_, err = session.ExecContext(t.Context(), "SELECT pg_advisory_lock(7362541889124710)")
	require.NoError(t, err)

	db, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var said atomic.Int32
	done := make(chan error, 1)
	go func() { done <- db.Migrate(t.Context(), func() { said.Add(1) }) }()
	require.Eventually(t, func() bool { return said.Load() == 1 }, 10*time.Second, 10*time.Millisecond)
	_, err = session.ExecContext(t.Context(), "SELECT pg_advisory_unlock(7362541889124710)")
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, said.Load(), "it says so once")

	// A lock that somebody has left behind stops nobody any more.
	_, err = session.ExecContext(t.Context(), "SELECT pg_advisory_lock(7362541889124710)")
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context(), nil))
	require.NoError(t, session.Close())
}
