// Package stmtcache keeps the prepared statements of a SQLite connection, so
// that a statement which is sent again is not parsed and planned again. Drivers
// of SQLite leave that to their callers, and River's SQL comes without.
//
// It must not know what the statements say. It is made for
// modernc.org/sqlite, whose statements can be used again after an error-free
// use and are prepared again by SQLite itself when the schema has changed
// (https://www.sqlite.org/c3ref/prepare.html, sqlite3_prepare_v2).
package stmtcache

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// New returns a connector whose connections each keep at most size statements
// that are not in use. The inner connections must have the methods with a context.
func New(inner driver.Connector, size int) driver.Connector {
	return &connector{inner, size}
}

type connector struct {
	driver.Connector

	size int
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(fullConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("cache statements: %T lacks methods", inner), inner.Close())
	}
	return &conn{fullConn: full, size: c.size, idle: map[string]fullStmt{}}, nil
}

// fullConn is what database/sql can make use of.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// fullStmt is a statement that can be used.
type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// conn is one connection. database/sql lets one goroutine at a time use it, and
// what came out of it: there is nothing to lock.
type conn struct {
	fullConn

	size int
	idle map[string]fullStmt // by query
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !reusable(query) {
		return c.fullConn.ExecContext(ctx, query, args)
	}
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.ExecContext(ctx, args)
	if err := c.giveBack(query, stmt, err); err != nil {
		return nil, err
	}
	return result, nil
}

// QueryContext implements driver.QueryerContext. The statement is in use until
// the rows are closed; whoever sends the same one meanwhile gets another.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !reusable(query) {
		return c.fullConn.QueryContext(ctx, query, args)
	}
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	inner, err := stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, c.giveBack(query, stmt, err)
	}
	return &rows{Rows: inner, giveBack: func(err error) error { return c.giveBack(query, stmt, err) }}, nil
}

// Close implements driver.Conn. SQLite wants statements closed before.
func (c *conn) Close() error {
	var errs []error
	for _, stmt := range c.idle {
		errs = append(errs, stmt.Close())
	}
	clear(c.idle)
	return errors.Join(append(errs, c.fullConn.Close())...)
}

// take returns a statement that nobody uses.
func (c *conn) take(ctx context.Context, query string) (fullStmt, error) {
	if stmt, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return stmt, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := prepared.(fullStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("cache statements: %T lacks methods", prepared), prepared.Close())
	}
	return stmt, nil
}

// giveBack keeps the statement for the next use, or closes it after one that
// failed: what state it is in then is not worth knowing. It returns that
// failure.
func (c *conn) giveBack(query string, stmt fullStmt, failed error) error {
	if failed != nil {
		_ = stmt.Close() // says again what went wrong
		return failed
	}
	if _, ok := c.idle[query]; ok {
		return stmt.Close() // it was in use twice
	}
	if len(c.idle) == c.size {
		if err := c.evict(); err != nil {
			return errors.Join(err, stmt.Close())
		}
	}
	c.idle[query] = stmt
	return nil
}

// evict closes one of the statements at random: one in regular use is soon back.
func (c *conn) evict() error {
	for query, stmt := range c.idle {
		delete(c.idle, query)
		return stmt.Close()
	}
	return nil
}

// reusable says whether a statement is worth keeping. What changes the schema is
// not, and a PRAGMA may do its work when it is prepared
// (https://www.sqlite.org/pragma.html): SQLite prepares it for each run.
func reusable(query string) bool {
	switch strings.ToUpper(firstWord(query)) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false
}

// firstWord skips white space and comments to the end of their line, with which
// River's statements begin.
func firstWord(query string) string {
	for {
		query = strings.TrimLeft(query, " \t\r\n")
		if !strings.HasPrefix(query, "--") {
			break
		}
		_, query, _ = strings.Cut(query, "\n")
	}
	if end := strings.IndexAny(query, " \t\r\n"); end >= 0 {
		return query[:end]
	}
	return query
}

// rows are the rows of a statement that is given back with them.
type rows struct {
	driver.Rows

	giveBack func(err error) error
	closed   bool
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.giveBack(r.Rows.Close())
}
