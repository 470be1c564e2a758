package database_test

import (
	"testing"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestJobsThatFallDueTogether(t *testing.T) {
	t.Parallel()
	t.Run("become available in small transactions on SQLite", func(t *testing.T) {
		t.Parallel()
		db, err := database.Open(t.Context(), databasetest.SQLite(t))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		require.NoError(t, db.Migrate(t.Context(), nil))
		_, err = db.Main.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
			INSERT INTO river_job (args, kind, max_attempts, queue, state, scheduled_at)
			SELECT jsonb('{}'), 'any', 3, 'any', 'scheduled', datetime('now', '-1 minute') FROM n`)
		require.NoError(t, err)
		var moved []int
		for range 3 {
			moved = append(moved, schedule(t, db))
		}
		require.Equal(t, []int{500, 500, 200}, moved)
	})
}

// schedule does what River does every five seconds, and returns how many jobs
// it made available.
func schedule(t *testing.T, db *database.DB) int {
	t.Helper()
	tx, err := db.Driver().GetExecutor().Begin(t.Context())
	require.NoError(t, err)
	now := time.Now()
	jobs, err := tx.JobSchedule(t.Context(), &riverdriver.JobScheduleParams{Max: 10_000, Now: &now})
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	return len(jobs)
}
