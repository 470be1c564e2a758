-- Statements of the queue for Postgres. A batch is one parameter, a JSON array.
-- Rows are named by = ANY (ARRAY (…)) too, so that no plan reads the whole table, whatever
-- its size was when the plan was made.

-- name: ReserveJobs
SELECT nextval('{schema}.river_job_id_seq') FROM generate_series(1, $1)

-- All transactions insert in the order of their keys, so that two with the same repeats
-- wait for one another, and not each for the other. Ids follow the request.
-- name: InsertDeletions
WITH v AS MATERIALIZED (SELECT nextval(pg_get_serial_sequence('{schema}.polar_bridge_deletions', 'id')) AS id, batch.* FROM json_to_recordset(CAST($1 AS json)) AS batch (
    idempotency_key text, provider text, event_id text, dry_run boolean, variant text, source text, object text, instance text, user_id text,
    external_id text, unusable_id text, occurred_at bigint, received_at bigint, state text, hold_reason text, held_at bigint,
    job_id bigint, next_try_at bigint, binding bigint, traceparent text))
INSERT INTO {schema}.polar_bridge_deletions (
    id, idempotency_key, provider, event_id, dry_run, variant, source, object, instance, user_id, external_id, unusable_id, occurred_at,
    received_at, state, hold_reason, held_at, job_id, next_try_at, binding, traceparent)
OVERRIDING SYSTEM VALUE
SELECT
    id, idempotency_key, provider, event_id, dry_run, variant, source, object, instance, user_id, external_id, unusable_id, occurred_at,
    received_at, state, hold_reason, held_at, job_id, next_try_at, binding, traceparent
FROM v ORDER BY idempotency_key
ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, idempotency_key

-- name: FirstsOfEvents
SELECT idempotency_key, user_id, external_id, unusable_id, redacted FROM {schema}.polar_bridge_deletions
WHERE idempotency_key = ANY (ARRAY (SELECT value FROM json_array_elements_text(CAST($1 AS json))))

-- name: Sends
SELECT id, state = 'waiting', generation, sent_at, in_flight, sent_saw, sent_anonymized, counted_at, attempts FROM {schema}.polar_bridge_deletions
WHERE id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))
ORDER BY id
FOR UPDATE

-- name: BeginSends
WITH v AS MATERIALIZED (SELECT * FROM json_to_recordset(CAST($1 AS json)) AS batch (
    deletion_id bigint, attempts bigint, sent_at bigint, in_flight boolean, sent_saw text, sent_anonymized boolean,
    counted_at bigint, customer_id text, customer_type text, customer_created_at bigint, active_subscriptions bigint,
    granted_benefits bigint))
UPDATE {schema}.polar_bridge_deletions AS d SET attempts = v.attempts, sent_at = v.sent_at, in_flight = v.in_flight, sent_saw = v.sent_saw,
    sent_anonymized = v.sent_anonymized, counted_at = v.counted_at,
    customer_id = CASE WHEN v.customer_id = '' THEN d.customer_id ELSE v.customer_id END,
    customer_type = CASE WHEN v.customer_id = '' THEN d.customer_type ELSE v.customer_type END,
    customer_created_at = CASE WHEN v.customer_id = '' THEN d.customer_created_at ELSE v.customer_created_at END,
    active_subscriptions = CASE WHEN v.active_subscriptions < 0 AND v.customer_id IN ('', d.customer_id) THEN d.active_subscriptions ELSE v.active_subscriptions END,
    granted_benefits = CASE WHEN v.granted_benefits < 0 AND v.customer_id IN ('', d.customer_id) THEN d.granted_benefits ELSE v.granted_benefits END
FROM v WHERE d.id = v.deletion_id AND d.id = ANY (ARRAY (SELECT deletion_id FROM v))

-- What stands on the row about another run's request is left alone: sent_by is when
-- the attempt itself has begun one.
-- name: WriteDecisions
WITH v AS MATERIALIZED (SELECT * FROM json_to_recordset(CAST($1 AS json)) AS batch (
    deletion_id bigint, generation bigint, state text, result text, polar_status bigint, polar_error text, decided_at bigint,
    sent_by bigint, sent_at bigint, sent_saw text, sent_anonymized boolean, dead_before bigint, customer_id text,
    customer_type text, customer_created_at bigint, adds_attempts bigint, adds_failures bigint, adds_failing_for bigint,
    lookup_failing_for bigint,
    next_try_at bigint, hold_reason text, outcome text, confirmed_by text, anonymized boolean, active_subscriptions bigint,
    granted_benefits bigint, metadata_search text, metadata_customers text, verify_job bigint, verify_at bigint, verification text))
UPDATE {schema}.polar_bridge_deletions AS d SET state = v.state, result = v.result, polar_status = v.polar_status, polar_error = v.polar_error, decided_at = v.decided_at,
    in_flight = CASE WHEN d.sent_at = v.sent_by THEN FALSE ELSE d.in_flight END,
    sent_at = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_at ELSE d.sent_at END,
    sent_saw = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_saw ELSE d.sent_saw END,
    sent_anonymized = CASE WHEN v.sent_by > 0 AND d.sent_at = v.sent_by THEN v.sent_anonymized ELSE d.sent_anonymized END,
    customer_id = CASE WHEN v.customer_id = '' THEN d.customer_id ELSE v.customer_id END,
    customer_type = CASE WHEN v.customer_id = '' THEN d.customer_type ELSE v.customer_type END,
    customer_created_at = CASE WHEN v.customer_id = '' THEN d.customer_created_at ELSE v.customer_created_at END,
    attempts = d.attempts + v.adds_attempts,
    failures = CASE WHEN v.state = 'done' THEN 0 ELSE d.failures + v.adds_failures END,
    failing_for = CASE WHEN v.state = 'done' THEN 0 ELSE d.failing_for + v.adds_failing_for END,
    lookup_failing_for = v.lookup_failing_for,
    next_try_at = v.next_try_at, hold_reason = v.hold_reason,
    held_at = CASE WHEN v.state = 'held' THEN v.decided_at ELSE d.held_at END,
    finished_at = CASE WHEN v.state = 'done' THEN v.decided_at ELSE 0 END,
    outcome = v.outcome, confirmed_by = v.confirmed_by, anonymized = v.anonymized,
    active_subscriptions = CASE WHEN v.active_subscriptions < 0 AND v.customer_id IN ('', d.customer_id) THEN d.active_subscriptions ELSE v.active_subscriptions END,
    granted_benefits = CASE WHEN v.granted_benefits < 0 AND v.customer_id IN ('', d.customer_id) THEN d.granted_benefits ELSE v.granted_benefits END,
    metadata_search = CASE WHEN v.metadata_search = '' THEN d.metadata_search ELSE v.metadata_search END,
    metadata_customers = CASE WHEN v.metadata_search = '' THEN d.metadata_customers ELSE v.metadata_customers END,
    job_id = CASE WHEN v.state = 'waiting' THEN d.job_id ELSE v.verify_job END, verify_at = v.verify_at, verification = v.verification
FROM v WHERE d.id = v.deletion_id AND d.id = ANY (ARRAY (SELECT deletion_id FROM v)) AND d.generation = v.generation AND (
    d.state = 'waiting' AND (d.sent_at = v.sent_by OR NOT d.in_flight OR d.sent_at <= v.dead_before)
    OR v.outcome = 'deleted' AND (d.state IN ('waiting', 'held', 'cancelled') OR d.state = 'done' AND d.outcome = 'not_found'))
RETURNING id

-- name: EndJobs
DELETE FROM {schema}.river_job WHERE id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))

-- name: Records
SELECT id, state, dry_run, redacted, provider, event_id, source, object, user_id, external_id, instance, unusable_id,
    occurred_at, received_at, next_try_at, finished_at, attempts, failures, failing_for, lookup_failing_for, result, decided_at, outcome, confirmed_by, anonymized,
    polar_status, polar_error, hold_reason, held_at, sent_at, in_flight, sent_anonymized, sent_saw, customer_id, customer_type, customer_created_at,
    active_subscriptions, granted_benefits, metadata_search, metadata_customers, verification, verify_at, verified_at, subscriptions_ended, binding, generation, traceparent
FROM {schema}.polar_bridge_deletions WHERE id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))
ORDER BY id

-- name: Approvals
SELECT deletion_id, reason, customer_id FROM {schema}.polar_bridge_approvals
WHERE deletion_id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))
ORDER BY deletion_id, reason

-- name: Actions
SELECT deletion_id, at, operator, action, reason FROM {schema}.polar_bridge_actions
WHERE deletion_id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))
ORDER BY deletion_id, id

-- name: LockRecords
SELECT id, state, dry_run, redacted, provider, event_id, source, object, user_id, external_id, instance, unusable_id,
    occurred_at, received_at, next_try_at, finished_at, attempts, failures, failing_for, lookup_failing_for, result, decided_at, outcome, confirmed_by, anonymized,
    polar_status, polar_error, hold_reason, held_at, sent_at, in_flight, sent_anonymized, sent_saw, customer_id, customer_type, customer_created_at,
    active_subscriptions, granted_benefits, metadata_search, metadata_customers, verification, verify_at, verified_at, subscriptions_ended, binding, generation, traceparent
FROM {schema}.polar_bridge_deletions WHERE id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))
ORDER BY id
FOR UPDATE

-- Marking one takes it, so that of several replicas one counts it.
-- name: TakeUnreported
UPDATE {schema}.polar_bridge_deletions SET reported = TRUE WHERE id IN (
    SELECT id FROM {schema}.polar_bridge_deletions WHERE state = 'cancelled' AND NOT reported ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id

-- name: RemoveApprovals
DELETE FROM {schema}.polar_bridge_approvals WHERE deletion_id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))

-- name: RemoveActions
DELETE FROM {schema}.polar_bridge_actions WHERE deletion_id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))

-- name: RemoveDeletions
DELETE FROM {schema}.polar_bridge_deletions WHERE id = ANY (ARRAY (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST($1 AS json))))

-- name: ReadQueue
SELECT paused_at IS NOT NULL FROM {schema}.river_queue WHERE name = $1 FOR UPDATE

-- name: SomeStalePause
SELECT EXISTS (SELECT 1 FROM {schema}.river_queue WHERE paused_at IS NOT NULL AND updated_at < now() - interval '1 hour')

-- name: KeepPauses
UPDATE {schema}.river_queue SET updated_at = now() WHERE paused_at IS NOT NULL AND updated_at < now() - interval '1 hour'

-- name: SomeInFuture
SELECT EXISTS (SELECT 1 FROM {schema}.river_job WHERE kind IN ('polar_bridge_delete', 'polar_bridge_dry_run', 'polar_bridge_verify')
    AND state IN ('available', 'retryable', 'scheduled') AND coalesce(attempted_at, created_at) > now() + interval '1 minute')

-- What is moved is due by as much later as its last attempt, or its acceptance, lies
-- in the future: what was to wait for a minute still waits for a minute.
-- name: MoveToPresent
UPDATE {schema}.river_job SET scheduled_at = scheduled_at - coalesce(attempted_at, created_at) + now(),
    attempted_at = CASE WHEN attempted_at IS NULL THEN NULL ELSE now() END,
    created_at = least(created_at, now())
WHERE id IN (SELECT id FROM {schema}.river_job WHERE kind IN ('polar_bridge_delete', 'polar_bridge_dry_run', 'polar_bridge_verify')
    AND state IN ('available', 'retryable', 'scheduled') AND coalesce(attempted_at, created_at) > now() + interval '1 minute' LIMIT $1)

-- name: ServerClock
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)
