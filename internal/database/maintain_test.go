package database_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
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

func walSize(t *testing.T, url string) int64 {
	t.Helper()
	info, err := os.Stat(strings.TrimPrefix(url, "sqlite:") + "-wal")
	require.NoError(t, err)
	return info.Size()
}

// keepCheckpointing does what serve does, until ctx ends.
func keepCheckpointing(ctx context.Context, t *testing.T, db *database.DB, running *sync.WaitGroup) {
	t.Helper()
	running.Go(func() {
		ticker := time.NewTicker(database.CheckpointEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if err := db.Checkpoint(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

func TestTheWALIsBoundedUnderConstantLoadWithReaders(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	keepCheckpointing(ctx, t, db, &load)
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
		size := walSize(t, url)
		longest = max(longest, size)
		return longest > 16*megabyte && size < 4*megabyte
	}, 2*time.Minute, time.Millisecond, "the WAL only grows")
	t.Logf("longest WAL: %d MB", longest/megabyte)
	t.Logf("slowest write: %s", time.Duration(slowest.Load()))
	require.Less(t, time.Duration(slowest.Load()), 2*time.Second, "a webhook waits no longer")
}

func TestACheckpointLetsTheNextWriterStartTheWALOver(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	write := func(bytes int) {
		_, err := db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_settings (name, value) VALUES (hex(randomblob(16)), zeroblob($1))", bytes)
		require.NoError(t, err)
	}
	wal := func() (pages, copied int) {
		var busy int
		require.NoError(t, db.Reader.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &copied))
		return pages, copied
	}

	const long = 1500 // pages of 4 KiB, more than SQLite leaves in its WAL by default
	write(long * 4096)
	require.NoError(t, db.Checkpoint(t.Context()))
	pages, copied := wal()
	require.Greater(t, pages, long)
	require.Equal(t, pages, copied)

	write(1)
	pages, _ = wal()
	require.Less(t, pages, long)
}

func TestALongReaderPreventsATruncationForAWhile(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	reader, err := db.Reader.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var tables int
	require.NoError(t, reader.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_master").Scan(&tables))
	_, err = db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_settings (name, value) VALUES ('large', zeroblob($1))", 70*megabyte)
	require.NoError(t, err)

	began := time.Now()
	require.NoError(t, db.Checkpoint(t.Context()))
	require.Less(t, time.Since(began), time.Minute, "it gives up")
	require.Greater(t, walSize(t, url), int64(64*megabyte))

	require.NoError(t, reader.Rollback())
	for walSize(t, url) > 0 { // at the sixth call
		require.NoError(t, db.Checkpoint(t.Context()))
	}
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
	require.True(t, db.IntegrityOK())

	file, err := os.OpenFile(strings.TrimPrefix(url, "sqlite:"), os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := file.Stat()
	require.NoError(t, err)
	_, err = file.WriteAt([]byte(strings.Repeat("damage! ", 4096)), info.Size()/2)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	require.ErrorIs(t, db.Check(t.Context()), database.ErrDamaged)
	require.False(t, db.IntegrityOK())
	require.ErrorIs(t, db.Ping(t.Context()), database.ErrDamaged)
	_, err = db.Size()
	require.ErrorIs(t, err, database.ErrDamaged)
	require.ErrorIs(t, db.Lock(t.Context()), database.ErrDamaged)

	backup := filepath.Join(t.TempDir(), "backup.db")
	require.Error(t, database.Backup(t.Context(), url, backup))
	require.NoFileExists(t, backup, "half a backup is none")
}

func TestACheckCreatesNoFileWhereOneWasMovedAway(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	path := strings.TrimPrefix(url, "sqlite:")
	require.NoError(t, os.Rename(path, path+".away"))
	require.Error(t, db.Check(t.Context()))
	require.NoFileExists(t, path)
}

func TestAWALWithoutItsDatabaseIsRefused(t *testing.T) {
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
			_, err := database.Open(t.Context(), url, database.DefaultSchema)
			require.ErrorIs(t, err, database.ErrWALWithoutFile)
			left, err := os.ReadFile(path + "-wal")
			require.NoError(t, err)
			require.Equal(t, "acknowledged events", string(left))
		})
	}
}
