package databasetest

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A waiting deletion is a row and the job that carries it out. They are made in
// three steps: the rows, their jobs, and which row has which job.
const (
	fillRows = `INSERT INTO {schema}polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state)
		SELECT 'filled ' || i, 'clerk', 'msg_waiting_' || i, FALSE, '', 'webhook', '', 'user_waiting_' || i, 'user_waiting_' || i, '', {then}, {then}, 'waiting' FROM {numbers}`
	fillJobs = `INSERT INTO {schema}river_job (args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags)
		SELECT {object}('deletion_id', id, 'generation', 1), CURRENT_TIMESTAMP, 'polar_bridge_delete', 32767, {empty}, 1, 'deletions_1', CURRENT_TIMESTAMP, 'available', {tags}
		FROM {schema}polar_bridge_deletions`
	linkJobs = `UPDATE {schema}polar_bridge_deletions SET job_id = j.id FROM {schema}river_job AS j WHERE {deletion} = {schema}polar_bridge_deletions.id`
)

// FillWaiting stores n deletions, accepted an hour ago, which are due, in an empty
// migrated database, in the default schema. Webhooks would take minutes for a million.
func FillWaiting(ctx context.Context, db *sql.DB, sqlite bool, n int) error {
	words := []string{"{then}", strconv.FormatInt(time.Now().Add(-time.Hour).UnixMicro(), 10)}
	if sqlite {
		words = append(words, "{schema}", "", "{object}", "jsonb_object", "{empty}", "jsonb('{}')", "{tags}", "jsonb('[]')", "{deletion}", "j.args ->> '$.deletion_id'",
			"{numbers}", fmt.Sprintf("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)", n))
	} else {
		words = append(words, "{schema}", "polar_bridge.", "{object}", "jsonb_build_object", "{empty}", "'{}'", "{tags}", "'{}'", "{deletion}", "(j.args ->> 'deletion_id')::bigint",
			"{numbers}", fmt.Sprintf("generate_series(1, %d) AS i", n))
	}
	for _, statement := range []string{fillRows, fillJobs, linkJobs} {
		if _, err := db.ExecContext(ctx, strings.NewReplacer(words...).Replace(statement)); err != nil {
			return fmt.Errorf("fill the database: %w", err)
		}
	}
	return nil
}
