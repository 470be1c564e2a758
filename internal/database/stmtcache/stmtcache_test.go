package stmtcache_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/stmtcache"
)

const size = 4

func TestAStatementIsPreparedOnce(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	for i := range 10 {
		_, err := db.ExecContext(t.Context(), "INSERT INTO people (name) VALUES (?)", fmt.Sprint("name ", i))
		require.NoError(t, err)
		var n int
		require.NoError(t, db.QueryRowContext(t.Context(), "-- a comment\n SELECT count(*) FROM people").Scan(&n))
		require.Equal(t, i+1, n)
	}
	require.EqualValues(t, 2, count.prepared.Load())
}

func TestAStatementInUseIsNotGivenToAnother(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	fill(t, db, 3)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	const all = "SELECT id FROM people ORDER BY id"
	outer, err := tx.QueryContext(t.Context(), all)
	require.NoError(t, err)
	var seen []int
	for outer.Next() {
		var id int
		require.NoError(t, outer.Scan(&id))
		seen = append(seen, id)
		require.Equal(t, []int{1, 2, 3}, ids(t, tx, all), "the inner query has its own statement")
	}
	require.NoError(t, outer.Err())
	require.NoError(t, outer.Close()) //nolint:sqlclosecheck // before the commit
	require.Equal(t, []int{1, 2, 3}, seen)
	require.NoError(t, tx.Commit())
	require.Equal(t, 1, count.kept("SELECT"), "of two only one is kept")
}

func TestOnlySoManyAreKept(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	for i := range 10 * size {
		require.Empty(t, ids(t, db, fmt.Sprint("SELECT id FROM people WHERE id > ", i)))
	}
	require.Equal(t, size, count.kept("SELECT"))
	require.Empty(t, ids(t, db, fmt.Sprint("SELECT id FROM people WHERE id > ", 10*size-1)))
	require.EqualValues(t, 10*size, count.prepared.Load(), "the last one is still there")
}

func TestAStatementThatFailedIsNotKept(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	const insert = "INSERT INTO people (id, name) VALUES (1, 'one')"
	_, err := db.ExecContext(t.Context(), insert)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), insert)
	require.ErrorContains(t, err, "UNIQUE")
	require.Zero(t, count.kept("INSERT"))
	require.ErrorContains(t, db.QueryRowContext(t.Context(), insert+" RETURNING id").Scan(new(int)), "UNIQUE")
	require.Zero(t, count.kept("INSERT"))
}

func TestAConnectionClosesItsStatements(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	fill(t, db, 1)
	require.NotZero(t, count.prepared.Load())
	require.NoError(t, db.Close())
	require.Equal(t, count.prepared.Load(), count.closed.Load())
}

// SQLite carries some out while it prepares them.
func TestAPragmaIsNotKeptAndWorksEveryTime(t *testing.T) {
	t.Parallel()
	db, count := open(t)
	for _, want := range []int{200, 1500, 200, 1500} {
		_, err := db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA busy_timeout = %d", want))
		require.NoError(t, err)
		var got int
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&got))
		require.Equal(t, want, got)
	}
	require.Zero(t, count.prepared.Load(), "the plain driver did it all")
}

func TestAChangeOfTheSchemaIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	db, _ := openFile(t, path, size)
	other, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })

	fill(t, db, 1)
	columns := func() []string {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM people")
		require.NoError(t, err)
		defer rows.Close() //nolint:errcheck // only read
		require.True(t, rows.Next())
		names, err := rows.Columns()
		require.NoError(t, err)
		require.NoError(t, rows.Err())
		return names
	}
	require.Equal(t, []string{"id", "name"}, columns())
	_, err = db.ExecContext(t.Context(), "ALTER TABLE people ADD COLUMN here int")
	require.NoError(t, err)
	require.Equal(t, []string{"id", "name", "here"}, columns())
	_, err = other.ExecContext(t.Context(), "ALTER TABLE people ADD COLUMN there int")
	require.NoError(t, err)
	require.Equal(t, []string{"id", "name", "here", "there"}, columns(), "another process has changed it")
	_, err = db.ExecContext(t.Context(), "DROP TABLE people")
	require.NoError(t, err)
	_, err = db.QueryContext(t.Context(), "SELECT * FROM people") //nolint:sqlclosecheck,rowserrcheck // it fails
	require.ErrorContains(t, err, "no such table")
}

func TestAnAbandonedQueryHoldsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	db, _ := openFile(t, path, size)
	fill(t, db, 100)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.QueryContext(ctx, "SELECT id FROM people") //nolint:rowserrcheck // it is abandoned
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	require.NoError(t, rows.Close()) //nolint:sqlclosecheck // it is abandoned here
	require.NoError(t, rows.Close(), "twice does no harm")
	require.ErrorIs(t, db.QueryRowContext(ctx, "SELECT id FROM people").Scan(new(int)), context.Canceled)

	// A statement that still read would keep the WAL from being truncated.
	var busy, frames, moved int
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved))
	require.Zero(t, busy)
}

func TestManyUseItAtOnce(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	db.SetMaxOpenConns(4)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				if _, err := db.ExecContext(t.Context(), "INSERT INTO people (name) VALUES (?)", fmt.Sprint(i, j)); err != nil {
					t.Error(err)
				}
				var n int
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM people WHERE name = ?", fmt.Sprint(i, j)).Scan(&n); err != nil || n == 0 {
					t.Error(n, err)
				}
			}
		})
	}
	group.Wait()
	require.Len(t, ids(t, db, "SELECT id FROM people"), 160)
}

// querier is what *sql.DB and *sql.Tx share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func ids(t testing.TB, q querier, query string) []int {
	t.Helper()
	rows, err := q.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // only read
	var all []int
	for rows.Next() {
		var id int
		require.NoError(t, rows.Scan(&id))
		all = append(all, id)
	}
	require.NoError(t, rows.Err())
	return all
}

func fill(t testing.TB, db *sql.DB, n int) {
	t.Helper()
	for i := range n {
		_, err := db.ExecContext(t.Context(), "INSERT INTO people (name) VALUES (?)", fmt.Sprint("name ", i))
		require.NoError(t, err)
	}
}

// open opens an empty database and returns what counts its statements.
func open(t testing.TB) (*sql.DB, *counter) {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "test.db"), size)
}

func openFile(t testing.TB, path string, size int) (*sql.DB, *counter) {
	t.Helper()
	plain, err := sqlite.NewConnector("file:" + path + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	require.NoError(t, err)
	count := &counter{Connector: plain, alive: map[string]int{}}
	db := sql.OpenDB(stmtcache.New(count, size))
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE TABLE people (id integer PRIMARY KEY, name text)")
	require.NoError(t, err)
	return db, count
}

// counter is the plain driver with its prepared statements counted.
type counter struct {
	driver.Connector

	prepared, closed atomic.Int64

	mu    sync.Mutex
	alive map[string]int // by query
}

// kept returns how many statements that begin with the words are prepared.
func (c *counter) kept(words string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for query, alive := range c.alive {
		if len(query) >= len(words) && query[:len(words)] == words {
			n += alive
		}
	}
	return n
}

func (c *counter) change(query string, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[query] += by
}

func (c *counter) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &countedConn{inner.(everything), c}, nil //nolint:errcheck // SQLite's driver has it all
}

type everything interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type countedConn struct {
	everything

	count *counter
}

func (c *countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := c.everything.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.count.prepared.Add(1)
	c.count.change(query, 1)
	return &countedStmt{inner.(statement), c.count, query}, nil //nolint:errcheck // SQLite's driver has it all
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type countedStmt struct {
	statement

	count *counter
	query string
}

func (s *countedStmt) Close() error {
	s.count.closed.Add(1)
	s.count.change(s.query, -1)
	return s.statement.Close()
}
