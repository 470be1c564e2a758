package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// store leaves a deletion e1 with arguments that another version of the program
// has written.
func store(t *testing.T, db *database.DB, arguments string) {
	t.Helper()
	leaveAs(t, db, "state = 'available', args = "+jsonValue(db, arguments))
}

func jsonValue(db *database.DB, text string) string {
	if db.Dialect == database.Postgres {
		return "'" + text + "'::jsonb"
	}
	return "jsonb('" + text + "')"
}

func TestDeletionsOfOtherVersionsAreCarriedOut(t *testing.T) {
	t.Parallel()
	for name, arguments := range map[string]string{
		"fields that are not known here": `{"provider":"clerk","event_id":"e1","user_id":"u1","external_id":"u1",
			"occurred_at":"2026-11-01T00:00:00Z","received_at":"2026-11-01T00:00:00Z","version":1,"grace":{"until":"x"},"tenant":["a"]}`,
		"no fields but the first": `{"provider":"clerk","event_id":"e1","external_id":"u1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				store(t, db, arguments)
				h := start(t, db, deleted)
				h.waitState(t, "e1", "completed")
				attempts, _ := h.applier.seen()
				require.Len(t, attempts, 1)
				require.Equal(t, "u1", attempts[0].ExternalID)
			})
		})
	}
}

func TestADeletionOfANewerVersionIsLeftWaitingAndSeen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		store(t, db, `{"provider":"clerk","event_id":"e1","user_id":"u1","external_id":"u1","version":2}`)
		h := start(t, db, deleted)
		require.Equal(t, "newer_version", h.line(t, "deletion retried")["reason"])
		h.waitTried(t, "e1")
		h.stop(t)
		attempts, _ := h.applier.seen()
		require.Empty(t, attempts)

		// No newer program came for a week.
		age := "UPDATE river_job SET created_at = datetime('now', '-8 days'), scheduled_at = datetime('now'), state = 'available'"
		if db.Dialect == database.Postgres {
			age = "UPDATE river_job SET created_at = now() - interval '8 days', scheduled_at = now(), state = 'available'"
		}
		_, err := db.Main.ExecContext(t.Context(), age)
		require.NoError(t, err)
		h = start(t, db, deleted)
		require.Equal(t, "exhausted", h.line(t, "deletion held")["reason"])
		h.waitState(t, "e1", "scheduled")
		attempts, _ = h.applier.seen()
		require.Empty(t, attempts)
	})
}

func TestArgumentsThatCannotBeReadAreNotCarriedOut(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		store(t, db, `{"provider":"clerk","event_id":"e1","external_id":{"in":"version 3"},"version":3}`)
		h := start(t, db, deleted)
		h.waitTried(t, "e1")
		attempts, _ := h.applier.seen()
		require.Empty(t, attempts)
	})
}
