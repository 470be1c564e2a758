package stmtcache_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/stmtcache"
)

// FuzzSameAsThePlainDriver sends the same statements, which each byte chooses
// from those below, to the plain driver and to one that caches two statements,
// and wants the same answers and errors.
func FuzzSameAsThePlainDriver(f *testing.F) {
	f.Add([]byte("0123456789:;<=>?"))
	f.Add([]byte{0, 16, 32, 48, 1, 2, 3, 4, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3})
	f.Add([]byte{5, 0, 0, 3, 6, 5, 1, 3, 7, 3, 8, 3, 9, 3, 3, 8, 8, 9, 9})
	f.Fuzz(func(t *testing.T, steps []byte) {
		const longest = 200
		steps = steps[:min(len(steps), longest)]
		plain, cached := newMachine(t, false), newMachine(t, true)
		for i, step := range steps {
			require.Equal(t, plain.do(t, step), cached.do(t, step), "step %d of %v", i, steps)
		}
	})
}

// machine is a database with at most one transaction.
type machine struct {
	db *sql.DB
	tx *sql.Tx
}

func newMachine(t *testing.T, cached bool) *machine {
	t.Helper()
	connector, err := sqlite.NewConnector(":memory:") // it lives as long as its only connection
	require.NoError(t, err)
	if cached {
		connector = stmtcache.New(connector, 2)
	}
	m := &machine{db: sql.OpenDB(connector)}
	m.db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if m.tx != nil {
			_ = m.tx.Rollback()
		}
		require.NoError(t, m.db.Close())
	})
	_, err = m.db.ExecContext(t.Context(), "CREATE TABLE things (id integer PRIMARY KEY, value text UNIQUE)")
	require.NoError(t, err)
	return m
}

// do carries out one step and describes what came of it.
func (m *machine) do(t *testing.T, step byte) string {
	t.Helper()
	number := int(step >> 4)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	switch step & 15 {
	case 0:
		return m.exec(t.Context(), "INSERT INTO things (value) VALUES (?)", number)
	case 1:
		return m.query(t.Context(), "INSERT INTO things (value) VALUES (?) RETURNING *", 99, number)
	case 2:
		return m.exec(t.Context(), "UPDATE things SET value = value || 'x' WHERE id % 3 = ?", number%3)
	case 3:
		return m.query(t.Context(), "SELECT * FROM things ORDER BY id", 99)
	case 4:
		return m.query(t.Context(), "SELECT * FROM things ORDER BY id", 1) // and no further
	case 5:
		return m.query(t.Context(), "WITH n AS (SELECT count(*) AS n FROM things) SELECT n, ? FROM n", 99, number)
	case 6:
		return m.exec(t.Context(), "DELETE FROM things WHERE id = ?", number)
	case 7:
		return m.exec(t.Context(), fmt.Sprintf("ALTER TABLE things ADD COLUMN c%d int", number))
	case 8:
		return m.exec(t.Context(), "DROP TABLE things")
	case 9:
		return m.exec(t.Context(), "CREATE TABLE things (id integer PRIMARY KEY, other int, value text)")
	case 10:
		return m.exec(cancelled, "INSERT INTO things (value) VALUES (?)", number)
	case 11:
		// An argument is missing, and perhaps the table: either may be said first.
		return fmt.Sprint(m.exec(t.Context(), "INSERT INTO things (value) VALUES (?)") == "")
	case 12:
		return m.exec(t.Context(), fmt.Sprintf("PRAGMA user_version = %d", number)) + m.query(t.Context(), "PRAGMA user_version", 99)
	case 13:
		return m.exec(t.Context(), "INSERT INTO things (value) VALUES (?); SELECT 1", number)
	case 14:
		return m.begin(t)
	}
	return m.end(number%2 == 0)
}

func (m *machine) begin(t *testing.T) string {
	t.Helper()
	if m.tx != nil {
		return "in a transaction"
	}
	var err error
	m.tx, err = m.db.BeginTx(t.Context(), nil)
	return fmt.Sprint(err)
}

func (m *machine) end(commit bool) string {
	if m.tx == nil {
		return "in no transaction"
	}
	tx := m.tx
	m.tx = nil
	if commit {
		return fmt.Sprint(tx.Commit())
	}
	return fmt.Sprint(tx.Rollback())
}

func (m *machine) exec(ctx context.Context, query string, args ...any) string {
	execute := m.db.ExecContext
	if m.tx != nil {
		execute = m.tx.ExecContext
	}
	result, err := execute(ctx, query, args...)
	if err != nil {
		return err.Error()
	}
	changed, _ := result.RowsAffected()
	last, _ := result.LastInsertId()
	return fmt.Sprint(changed, last)
}

// query reads at most so many rows.
func (m *machine) query(ctx context.Context, query string, limit int, args ...any) string {
	run := m.db.QueryContext
	if m.tx != nil {
		run = m.tx.QueryContext
	}
	rows, err := run(ctx, query, args...)
	if err != nil {
		return err.Error()
	}
	names, err := rows.Columns()
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	fmt.Fprintln(&text, names)
	for range limit {
		if !rows.Next() {
			break
		}
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return err.Error()
		}
		for _, value := range values {
			fmt.Fprintf(&text, "%v ", *value.(*any)) //nolint:errcheck // made above
		}
		fmt.Fprintln(&text)
	}
	fmt.Fprintln(&text, rows.Err(), rows.Close()) //nolint:sqlclosecheck // what closing says is compared too
	return text.String()
}
