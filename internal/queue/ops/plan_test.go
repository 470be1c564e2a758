package ops_test

import (
	"testing"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// Only stats reads all, once.
func TestNoStatementReadsTheWholeTable(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		databasetest.RequireIndexes(t, db, "polar_bridge_deletions", ops.Statements(t, db), "CountAll")
	})
}
