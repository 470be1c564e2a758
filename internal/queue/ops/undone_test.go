package ops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestAnActThatPostgresHasUndoneIsDoneOnceAfterAll(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		into string // the table of the insert that is undone
		act  func(t *testing.T, s *session)
	}{
		"pause": {"polar_bridge_actions", func(t *testing.T, s *session) {
			t.Helper()
			changed, err := s.Pause(t.Context(), "")
			require.NoError(t, err)
			require.True(t, changed)
		}},
		"cancel many": {"polar_bridge_actions", func(t *testing.T, s *session) {
			t.Helper()
			chosen, err := s.Choose(t.Context(), deletion.VerbCancel, ops.Filter{})
			require.NoError(t, err)
			n, left, err := s.Many(t.Context(), deletion.VerbCancel, chosen, "why")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Empty(t, left)
		}},
		"forget": {"polar_bridge_actions", func(t *testing.T, s *session) {
			t.Helper()
			s.finish(t, "e1", time.Now())
			n, err := s.Forget(t.Context(), "u1")
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}},
		"request": {"polar_bridge_deletions", func(t *testing.T, s *session) {
			t.Helper()
			requested, err := s.Acceptor(false).Request(t.Context(), []ops.Request{request("another")}, "e-mail")
			require.NoError(t, err)
			require.Len(t, requested, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
			s := operator(t, db)
			s.accept(t, newDeletion("e1", "u1"))
			databasetest.Undo(t, db.Main, tt.into, "40P01")
			tt.act(t, s)
			require.Len(t, s.logs.FilterMessage("operator action").All(), 1)
			var undone int
			require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT last_value FROM undone").Scan(&undone))
			require.Equal(t, 4, undone)
		})
	}
}
