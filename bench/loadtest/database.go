package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
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

// A waiting deletion is a row and the job that carries it out. They are made in
// three steps: the rows, their jobs, and which row has which job.
const (
	fillRows = `INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state)
		SELECT 'filled ' || i, 'clerk', 'msg_waiting_' || i, FALSE, '', 'webhook', '', 'user_waiting_' || i, 'user_waiting_' || i, '', {now}, {now}, 'waiting' FROM {numbers}`
	fillJobs = `INSERT INTO river_job (args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags)
		SELECT {object}('deletion_id', id, 'generation', 1), CURRENT_TIMESTAMP, 'polar_bridge_delete', 32767, {empty}, 1, 'deletions', CURRENT_TIMESTAMP, 'available', {tags}
		FROM polar_bridge_deletions`
	linkJobs = `UPDATE polar_bridge_deletions SET job_id = j.id FROM river_job AS j WHERE {deletion} = polar_bridge_deletions.id`
)

// words are what the dialects call the same thing.
func words(sqlite bool, n int) *strings.Replacer {
	now := strconv.FormatInt(time.Now().UnixMicro(), 10)
	if sqlite {
		return strings.NewReplacer("{now}", now, "{object}", "jsonb_object", "{empty}", "jsonb('{}')", "{tags}", "jsonb('[]')", "{deletion}", "j.args ->> '$.deletion_id'",
			"{numbers}", fmt.Sprintf("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)", n))
	}
	return strings.NewReplacer("{now}", now, "{object}", "jsonb_build_object", "{empty}", "'{}'", "{tags}", "'{}'", "{deletion}", "(j.args ->> 'deletion_id')::bigint",
		"{numbers}", fmt.Sprintf("generate_series(1, %d) AS i", n))
}

// fill stores n waiting deletions in the database that the candidate's
// settings name.
func (d *database) fill(ctx context.Context, env []string, n int) error {
	address, _ := strings.CutPrefix(env[len(env)-1], "DATABASE_URL=")
	driver, source := "pgx", address
	path, sqlite := strings.CutPrefix(address, "sqlite:")
	if sqlite {
		driver, source = "sqlite", "file:"+path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	for _, statement := range []string{fillRows, fillJobs, linkJobs} {
		if _, err = db.ExecContext(ctx, words(sqlite, n).Replace(statement)); err != nil {
			break
		}
	}
	return errors.Join(err, db.Close())
}
