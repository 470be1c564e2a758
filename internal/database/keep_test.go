package database_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

const megabyte = 1 << 20

// overlap keeps reading transactions open until ctx ends, each begun before the
// last one is over.
func overlap(ctx context.Context, t *testing.T, db *sql.DB, readers *sync.WaitGroup) {
	t.Helper()
	const length = 60 * time.Millisecond
	for i := range 2 {
		readers.Go(func() {
			phase := time.NewTimer(time.Duration(i) * length / 2)
			defer phase.Stop()
			<-phase.C
			for ctx.Err() == nil {
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return
				}
				var n int
				_ = tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
				phase.Reset(length)
				<-phase.C
				_ = tx.Rollback()
			}
		})
	}
}

func logSize(t *testing.T, url string) int64 {
	t.Helper()
	info, err := os.Stat(strings.TrimPrefix(url, "sqlite:") + "-wal")
	require.NoError(t, err)
	return info.Size()
}

func TestTheLogIsBoundedUnderConstantLoadWithReaders(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	release, err := db.Lock(nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, release()) }()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	overlap(ctx, t, db.Reader, &load)
	var slowest atomic.Int64
	load.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			_, err := db.Main.ExecContext(ctx, "INSERT INTO polar_bridge_settings (name, value) VALUES (hex(randomblob(16)), zeroblob(400000))")
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		}
	})
	longest := int64(0)
	require.Eventually(t, func() bool {
		size := logSize(t, url)
		longest = max(longest, size)
		return longest > 16*megabyte && size < 4*megabyte
	}, 2*time.Minute, time.Millisecond, "the log only grows")
	t.Logf("longest log: %d MB", longest/megabyte)
	t.Logf("slowest write: %s", time.Duration(slowest.Load()))
	require.Less(t, time.Duration(slowest.Load()), 2*time.Second, "a webhook waits no longer")
}

func TestTheLogIsBroughtIntoTheFileBesideTheWritersWhoThenBeginItAnew(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	release, err := db.Lock(nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, release()) }()
	write := func(bytes int) {
		_, err := db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_settings (name, value) VALUES (hex(randomblob(16)), zeroblob($1))", bytes)
		require.NoError(t, err)
	}
	log := func() (pages, moved int) {
		var busy int
		require.NoError(t, db.Reader.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &moved))
		return pages, moved
	}

	const long = 1500 // pages of 4 KiB, more than SQLite leaves in its log by default
	write(long * 4096)
	require.Eventually(t, func() bool {
		pages, moved := log()
		return pages > long && moved == pages
	}, time.Minute, 10*time.Millisecond, "nobody brings the log into the file")

	write(1)
	pages, _ := log()
	require.Less(t, pages, long)
}

func TestDamageAtRunTimeTurnsReadinessRed(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	const many = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 2000) " +
		"INSERT INTO polar_bridge_settings (name, value) SELECT x, hex(randomblob(100)) FROM c"
	_, err := db.Main.ExecContext(t.Context(), many)
	require.NoError(t, err)
	_, err = db.Main.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(t, err)
	require.NoError(t, db.Check(t.Context()))
	require.True(t, db.Whole())

	file, err := os.OpenFile(strings.TrimPrefix(url, "sqlite:"), os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := file.Stat()
	require.NoError(t, err)
	_, err = file.WriteAt([]byte(strings.Repeat("damage! ", 4096)), info.Size()/2)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	require.ErrorIs(t, db.Check(t.Context()), database.ErrDamaged)
	require.False(t, db.Whole())
	require.ErrorIs(t, db.Ping(t.Context()), database.ErrDamaged)
	_, err = db.Size()
	require.ErrorIs(t, err, database.ErrDamaged)
	_, err = db.Lock(nil)
	require.ErrorIs(t, err, database.ErrDamaged)
}

func TestALogWithoutItsDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	for name, remains := range map[string]func(path string) error{
		"missing": func(string) error { return nil },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := databasetest.SQLite(t)
			path := strings.TrimPrefix(url, "sqlite:")
			require.NoError(t, os.WriteFile(path+"-wal", []byte("acknowledged events"), 0o600))
			require.NoError(t, remains(path))
			_, err := database.Open(t.Context(), url)
			require.ErrorIs(t, err, database.ErrLogWithoutFile)
			left, err := os.ReadFile(path + "-wal")
			require.NoError(t, err)
			require.Equal(t, "acknowledged events", string(left))
		})
	}
}
