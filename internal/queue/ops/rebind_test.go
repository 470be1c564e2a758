package ops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestRebind(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		store, err := binding.NewStore(db.Main, db.SQL)
		require.NoError(t, err)
		for i, organization := range []string{"a", "b"} {
			b, err := store.Find(t.Context(), binding.Identity{Organization: organization}, time.Now())
			require.NoError(t, err)
			require.EqualValues(t, i+1, b.ID)
		}
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"))
		refused := func(err error, sentence string) {
			t.Helper()
			var r *ops.RefusedError
			require.ErrorAs(t, err, &r)
			require.Contains(t, r.Error(), sentence)
		}
		refused(s.Rebind(t.Context(), 2, "moved"), "still waiting or held for the organization that the database belongs to: 1;")
		refused(s.Rebind(t.Context(), 1, "moved"), "already")

		s.finish(t, "e1", time.Now())
		_, err = s.Pause(t.Context(), "")
		require.NoError(t, err)
		require.NoError(t, s.Rebind(t.Context(), 2, "moved"))
		active, err := store.Active(t.Context(), db.Reader)
		require.NoError(t, err)
		require.EqualValues(t, 2, active)
		var paused int
		require.NoError(t, db.Main.QueryRowContext(t.Context(),
			"SELECT count(*) FROM river_queue WHERE paused_at IS NOT NULL AND name IN ('deletions_2', 'dry_run_2')").Scan(&paused))
		require.Equal(t, 2, paused, "a pause stays")

		// What belongs to the organization of before is not acted on.
		s.set(t, "e1", "state = 'waiting', outcome = ''")
		id := s.only(t, "e1").ID
		_, err = s.Cancel(t.Context(), id, "why")
		refused(err, "another Polar organization")
		refused(s.Retry(t.Context(), id), "another Polar organization")
		chosen, err := s.Choose(t.Context(), deletion.VerbRetry, ops.Filter{})
		require.NoError(t, err)
		require.Empty(t, chosen)
	})
}
