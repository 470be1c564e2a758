package ops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// Statements are those of operators' commands for a database.
func Statements(t testing.TB, db *database.DB) any {
	t.Helper()
	var s statements
	require.NoError(t, db.SQL.Load(statementFiles, &s))
	return s
}
