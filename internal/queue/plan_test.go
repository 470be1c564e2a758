package queue_test

import (
	"testing"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// A million deletions may wait, and be kept.
func TestNoStatementReadsTheWholeTable(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, table := range []string{"polar_bridge_deletions", "polar_bridge_approvals", "polar_bridge_actions"} {
			databasetest.RequireIndexes(t, db, table, queue.Statements(t, db))
		}
	})
}
