package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestDueJobsOnSQLite(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	h := byHand(t, db, deletes())
	const many = queue.DueAtOnce + 50
	for i := range many {
		h.accept(t, newDeletion(fmt.Sprint("e", i), "u1"))
	}
	available := func() (n int) {
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job WHERE state = 'available'").Scan(&n))
		return n
	}
	setJobs(t, db, "state = 'scheduled', scheduled_at = in(10 minutes)")
	moved, err := h.MoveDue(t.Context())
	require.NoError(t, err)
	require.Zero(t, moved, "none is due")

	setJobs(t, db, "scheduled_at = in(-1 minutes)")
	setJobs(t, db, "state = CASE WHEN id % 2 = 0 THEN 'retryable' ELSE 'scheduled' END")
	moved, err = h.MoveDue(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, queue.DueAtOnce, moved, "one transaction keeps webhooks waiting for so many")
	moved, err = h.MoveDue(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, many-queue.DueAtOnce, moved)
	require.Equal(t, many, available())
}

func TestAPostponedDeletionIsTriedOnceItIsDue(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		h := start(t, databasetest.OpenMigrated(t, url), inTurn(decides(pause(1200*time.Millisecond)), deletes()))
		began := time.Now()
		h.accept(t, newDeletion("e1", "u1"))
		h.wait(t, "e1", deletion.StateDone)
		require.GreaterOrEqual(t, time.Since(began), 1200*time.Millisecond)
	})
}
