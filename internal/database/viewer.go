package database

import (
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// viewerTimeout bounds a statement of a Viewer on Postgres, in milliseconds.
const viewerTimeout = "10000"

// Viewer is a handle of its own for reading; the database lets it do nothing else,
// unless a transaction pooler is in between. However slow
// its queries are, they take no connection from those who work.
type Viewer struct {
	handle *sql.DB
	driver riverdriver.Driver[*sql.Tx]
}

// OpenViewer opens a Viewer.
func (db *DB) OpenViewer() (*Viewer, error) {
	if db.Dialect == Postgres {
		config := db.config.Copy()
		if !db.Pooled() { // a session's settings, which a pooler refuses or gives to others
			config.RuntimeParams["default_transaction_read_only"] = "on"
			config.RuntimeParams["statement_timeout"] = viewerTimeout
		}
		handle := stdlib.OpenDB(*config)
		handle.SetMaxOpenConns(readerConnections)
		handle.SetConnMaxLifetime(connectionLifetime)
		return &Viewer{handle: handle, driver: riverdatabasesql.New(handle)}, nil
	}
	handle, err := sql.Open("sqlite", sqliteDSN(db.path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("open SQLite file for viewing: %w", err)
	}
	handle.SetMaxOpenConns(readerConnections)
	return &Viewer{handle: handle, driver: riversqlite.New(handle)}, nil
}

// Driver returns River's driver for the handle.
func (v *Viewer) Driver() riverdriver.Driver[*sql.Tx] { return v.driver }

// Close closes the handle.
func (v *Viewer) Close() error { return v.handle.Close() }
