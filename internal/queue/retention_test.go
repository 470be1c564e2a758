package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes(), func(o *queue.Options) { o.Retention = 24 * time.Hour })
		o := operator(t, h)
		h.accept(t, newDeletion("done", "u1"), newDeletion("waits", "u2"), unusable("held"), unusable("cancelled"), newDeletion("reappeared", "u3"))
		h.work(t, "done")
		h.work(t, "reappeared")
		_, err := o.Cancel(t.Context(), h.row(t, "cancelled").ID, "somebody asked")
		require.NoError(t, err)
		_, err = db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET state = 'reappeared' WHERE event_id = 'reappeared'")
		require.NoError(t, err)
		_, err = o.Pause(t.Context(), "")
		require.NoError(t, err)

		h.clock.step(24 * time.Hour)
		removed, err := h.RemoveOld(t.Context())
		require.NoError(t, err)
		require.Zero(t, removed)

		h.clock.step(time.Second)
		h.accept(t, newDeletion("young", "u1"))
		h.work(t, "young")
		removed, err = h.RemoveOld(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, removed)
		for _, eventID := range []string{"waits", "held", "reappeared", "young"} {
			require.NotZero(t, h.row(t, eventID).ID)
		}
		var actions int
		require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM polar_bridge_actions").Scan(&actions))
		require.Equal(t, 1, actions, "the pause is about no deletion")

		receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("done", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1}, receipt, "what was kept long enough is not known any more")
	})
}

func TestRetentionRemovesSomeAtATime(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		const many = queue.RetentionAtOnce + 20
		fill(t, db, many, deletion.StateDone, "")
		h.set(t, "finished_at", 1)
		for _, want := range []int{queue.RetentionAtOnce, 20, 0} {
			removed, err := h.RemoveOld(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, removed)
		}
	})
}
