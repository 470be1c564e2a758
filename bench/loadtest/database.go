package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"
)

// database is a place to store deletions.
type database struct {
	name string
	// url makes an empty one, and drop removes it.
	url func(ctx context.Context, o options) (url string, drop func() error, err error)
}

// sqliteName is the name of the database that is a file.
const sqliteName = "SQLite"

func sqliteURL(_ context.Context, o options) (string, func() error, error) {
	dir, err := os.MkdirTemp(o.dir, "sqlite-")
	return "sqlite:" + filepath.Join(dir, "bench.db"), func() error { return os.RemoveAll(dir) }, err
}

func postgresURL(server string) func(ctx context.Context, o options) (string, func() error, error) {
	return func(ctx context.Context, _ options) (string, func() error, error) {
		name := fmt.Sprint("bench_", time.Now().UnixNano())
		execute := func(statement string) error {
			admin, err := sql.Open("pgx", server)
			if err != nil {
				return err
			}
			_, err = admin.ExecContext(ctx, statement)
			return errors.Join(err, admin.Close())
		}
		address, err := url.Parse(server)
		if err != nil {
			return "", nil, err
		}
		address.Path = "/" + name
		drop := func() error { return execute("DROP DATABASE " + name + " WITH (FORCE)") }
		return address.String(), drop, execute("CREATE DATABASE " + name)
	}
}

// columns are those of River's table that a waiting deletion fills.
const columns = "(args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags, unique_key, unique_states)"

const fillSQLite = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	INSERT INTO river_job ` + columns + `
	SELECT jsonb_object('provider', 'clerk', 'event_id', 'msg_waiting_' || i, 'user_id', 'user_waiting_' || i,
			'external_id', 'user_waiting_' || i, 'occurred_at', '2026-01-01T00:00:00Z', 'received_at', '2026-01-01T00:00:00Z', 'version', 1),
		datetime('now', 'subsec'), 'delete_customer', 32767, jsonb('{}'), 1, 'deletions', datetime('now', 'subsec'), 'available', jsonb('[]'), randomblob(32), 255
	FROM n`

const fillPostgres = `INSERT INTO river_job ` + columns + `
	SELECT jsonb_build_object('provider', 'clerk', 'event_id', 'msg_waiting_' || i, 'user_id', 'user_waiting_' || i,
			'external_id', 'user_waiting_' || i, 'occurred_at', '2026-01-01T00:00:00Z', 'received_at', '2026-01-01T00:00:00Z', 'version', 1),
		now(), 'delete_customer', 32767, '{}', 1, 'deletions', now(), 'available', '{}', sha256(i::text::bytea), 255::bit(8)
	FROM generate_series(1, %d) AS i`

// fill stores n waiting deletions in the database that the candidate's
// settings name.
func (d *database) fill(ctx context.Context, env []string, n int) error {
	address, _ := strings.CutPrefix(env[len(env)-1], "DATABASE_URL=")
	driver, source, statement := "pgx", address, fillPostgres
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		driver, source, statement = "sqlite", "file:"+path, fillSQLite
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf(statement, n))
	return errors.Join(err, db.Close())
}
