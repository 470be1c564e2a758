-- Statements of operators' commands that are the same for SQLite and Postgres.
-- Lists read ids only: $1 is the id before or after which to look, and '' or 0 stands
-- for a filter that is not set. Each says by which index it finds them.

-- by id
-- name: List
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id < $1
    AND ($2 = '' OR state = $2) AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($6 = '' OR external_id = $6) AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id DESC LIMIT $13

-- by polar_bridge_deletions_pending
-- name: ListPending
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id < $1 AND state IN ('waiting', 'held', 'reappeared') AND state = $2
    AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($6 = '' OR external_id = $6) AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id DESC LIMIT $13

-- by polar_bridge_deletions_external_id
-- name: ListExternalID
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id < $1 AND external_id <> '' AND external_id = $6
    AND ($2 = '' OR state = $2) AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id DESC LIMIT $13

-- by id
-- name: ListOldest
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id > $1
    AND ($2 = '' OR state = $2) AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($6 = '' OR external_id = $6) AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id LIMIT $13

-- by polar_bridge_deletions_pending
-- name: ListPendingOldest
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id > $1 AND state IN ('waiting', 'held', 'reappeared') AND state = $2
    AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($6 = '' OR external_id = $6) AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id LIMIT $13

-- by polar_bridge_deletions_external_id
-- name: ListExternalIDOldest
SELECT id FROM {schema}.polar_bridge_deletions
WHERE id > $1 AND external_id <> '' AND external_id = $6
    AND ($2 = '' OR state = $2) AND ($3 = '' OR hold_reason = $3) AND ($4 = '' OR outcome = $4) AND ($5 = '' OR provider = $5)
    AND ($7 = '' OR user_id = $7) AND ($8 = '' OR event_id = $8) AND ($9 = '' OR customer_id = $9)
    AND ($10 = '' OR $10 IN (external_id, user_id, event_id, customer_id)) AND received_at >= $11 AND (CAST($12 AS bigint) = 0 OR received_at < $12)
ORDER BY id LIMIT $13

-- by polar_bridge_deletions_finished
-- name: Finished
SELECT id FROM {schema}.polar_bridge_deletions
WHERE finished_at > 0 AND finished_at >= $1 AND (CAST($2 AS bigint) = 0 OR finished_at < $2) AND id > $3 AND source <> 'selftest'
ORDER BY id LIMIT $4

-- by polar_bridge_deletions_external_id
-- name: FinishedOfExternalID
SELECT id FROM {schema}.polar_bridge_deletions
WHERE external_id <> '' AND external_id = $5
    AND finished_at > 0 AND finished_at >= $1 AND (CAST($2 AS bigint) = 0 OR finished_at < $2) AND id > $3 AND source <> 'selftest'
ORDER BY id LIMIT $4

-- by polar_bridge_deletions_finished
-- name: Redoable
SELECT id FROM {schema}.polar_bridge_deletions
WHERE finished_at > 0 AND finished_at >= $1 AND (CAST($2 AS bigint) = 0 OR finished_at < $2)
    AND state = 'done' AND outcome = $3 AND NOT dry_run AND NOT redacted AND binding = $4 AND id > $5
ORDER BY id LIMIT $6

-- name: OfExternalID
SELECT id FROM {schema}.polar_bridge_deletions WHERE external_id <> '' AND external_id = $1 ORDER BY id

-- name: CountAll
SELECT CASE WHEN source = 'selftest' THEN source ELSE provider END AS counted_as, state, hold_reason, outcome, count(*), min(received_at), coalesce(min(CASE WHEN next_try_at > 0 THEN next_try_at END), 0)
FROM {schema}.polar_bridge_deletions
GROUP BY counted_as, state, hold_reason, outcome ORDER BY counted_as

-- by polar_bridge_deletions_finished: by the hour in which they finished, in microseconds
-- name: EndedByHour
SELECT finished_at / 3600000000 * 3600000000 AS ended_hour, outcome, count(*) FROM {schema}.polar_bridge_deletions
WHERE finished_at > 0 AND finished_at >= $1
GROUP BY ended_hour, outcome ORDER BY ended_hour

-- by id, among the newest $1
-- name: LastReceived
SELECT provider, source, max(received_at) FROM
    (SELECT provider, source, received_at FROM {schema}.polar_bridge_deletions WHERE id > 0 ORDER BY id DESC LIMIT $1) AS newest
GROUP BY provider, source ORDER BY provider, source

-- by polar_bridge_deletions_pending
-- name: CountUnfinished
SELECT count(*) FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state <> 'reappeared' AND binding = $1

-- name: ResetFailing
UPDATE {schema}.polar_bridge_deletions SET failing_for = 0, lookup_failing_for = 0 WHERE id = $1

-- name: Release
UPDATE {schema}.polar_bridge_deletions SET state = 'waiting', hold_reason = '', failures = 0, failing_for = 0, lookup_failing_for = 0 WHERE id = $1

-- name: Cancel
UPDATE {schema}.polar_bridge_deletions SET state = 'cancelled', outcome = 'cancelled', hold_reason = '', job_id = 0, next_try_at = 0,
    finished_at = $2, reported = FALSE WHERE id = $1

-- name: Acknowledge
UPDATE {schema}.polar_bridge_deletions SET state = 'done' WHERE id = $1

-- The customer as last looked up stays, and how many requests were sent.
-- name: Redo
UPDATE {schema}.polar_bridge_deletions SET state = 'waiting', outcome = '', confirmed_by = '', anonymized = FALSE, finished_at = 0,
    sent_at = 0, in_flight = FALSE, sent_saw = '', sent_anonymized = FALSE, counted_at = 0, failures = 0, failing_for = 0, lookup_failing_for = 0,
    metadata_search = '', metadata_customers = '', verification = '', verify_at = 0, verified_at = 0, subscriptions_ended = ''
WHERE id = $1

-- name: Unapprove
DELETE FROM {schema}.polar_bridge_approvals WHERE deletion_id = $1

-- name: Approve
INSERT INTO {schema}.polar_bridge_approvals (deletion_id, reason, customer_id) VALUES ($1, $2, $3)
ON CONFLICT (deletion_id, reason) DO UPDATE SET customer_id = excluded.customer_id

-- name: Note
INSERT INTO {schema}.polar_bridge_actions (deletion_id, at, operator, action, reason) VALUES ($1, $2, $3, $4, $5)

-- name: RedactDeletion
UPDATE {schema}.polar_bridge_deletions SET event_id = '', variant = '', instance = '', user_id = '', external_id = '', unusable_id = '',
    customer_id = '', customer_type = '', customer_created_at = 0, polar_error = '', active_subscriptions = -1, granted_benefits = -1, metadata_customers = '', traceparent = '', redacted = TRUE
WHERE id = $1

-- name: RedactApprovals
UPDATE {schema}.polar_bridge_approvals SET customer_id = '' WHERE deletion_id = $1

-- name: RedactActions
UPDATE {schema}.polar_bridge_actions SET reason = '' WHERE deletion_id = $1
