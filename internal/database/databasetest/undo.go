package databasetest

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Undo makes a Postgres server undo at their end the next three transactions that insert
// a row into the table, with this code.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func Undo(t testing.TB, db *sql.DB, table, code string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), fmt.Sprintf(`
		CREATE SEQUENCE undone;
		CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN IF nextval('undone') <= 3 THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF; RETURN NEW; END $$;
		CREATE CONSTRAINT TRIGGER undo AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION undo()`, code, table))
	require.NoError(t, err)
}
