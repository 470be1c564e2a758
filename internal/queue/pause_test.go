package queue_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestAJobThatRiverHandsOutAfterAPauseIsNotTried(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		h.accept(t, newDeletion("e1", "u1"))
		pause := func(paused bool) {
			t.Helper()
			require.NoError(t, queue.Transact(t.Context(), db.Main, h.Store(), func(ctx context.Context, tx *sql.Tx) error {
				_, err := h.Store().SetPaused(ctx, tx, queue.PausedQueues(1)[0], paused)
				return err
			}))
		}
		pause(true)
		require.Positive(t, h.work(t, "e1"), "it comes again")
		require.Zero(t, h.applier.requests())
		pause(false)
		h.work(t, "e1")
		require.Equal(t, deletion.StateDone, h.row(t, "e1").State)
	})
}
