-- Statements of the queue for SQLite. A batch is one parameter, a JSON array. jsonb_each
-- parses it once; MATERIALIZED keeps what it made of an element for every use of value.

-- name: ReserveJobs
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
SELECT i + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'river_job'), 0) FROM n

-- name: InsertDeletions
WITH batch AS MATERIALIZED (SELECT value FROM jsonb_each($1))
INSERT INTO {schema}.polar_bridge_deletions (
    idempotency_key, provider, event_id, dry_run, variant, source, object, instance, user_id, external_id, unusable_id, occurred_at,
    received_at, state, hold_reason, held_at, job_id, next_try_at, binding, traceparent)
SELECT
    value ->> 'idempotency_key', value ->> 'provider', value ->> 'event_id', value ->> 'dry_run', value ->> 'variant',
    value ->> 'source', value ->> 'object', value ->> 'instance', value ->> 'user_id', value ->> 'external_id', value ->> 'unusable_id',
    value ->> 'occurred_at', value ->> 'received_at', value ->> 'state', value ->> 'hold_reason', value ->> 'held_at',
    value ->> 'job_id', value ->> 'next_try_at', value ->> 'binding', value ->> 'traceparent'
FROM batch WHERE true
ON CONFLICT (idempotency_key) DO NOTHING RETURNING id, idempotency_key

-- name: FirstsOfEvents
SELECT idempotency_key, user_id, external_id, unusable_id, redacted FROM {schema}.polar_bridge_deletions
WHERE idempotency_key IN (SELECT value FROM json_each($1))

-- name: Sends
SELECT id, state = 'waiting', generation, sent_at, in_flight, sent_saw, sent_anonymized, counted_at, attempts FROM {schema}.polar_bridge_deletions
WHERE id IN (SELECT value FROM json_each($1))
ORDER BY id

-- name: BeginSends
WITH batch AS MATERIALIZED (SELECT value FROM jsonb_each($1)), v AS MATERIALIZED (SELECT
    value ->> 'deletion_id' AS deletion_id, value ->> 'attempts' AS attempts, value ->> 'sent_at' AS sent_at,
    value ->> 'in_flight' AS in_flight, value ->> 'sent_saw' AS sent_saw, value ->> 'sent_anonymized' AS sent_anonymized,
    value ->> 'counted_at' AS counted_at, value ->> 'customer_id' AS customer_id, value ->> 'customer_type' AS customer_type,
    value ->> 'customer_created_at' AS customer_created_at, value ->> 'active_subscriptions' AS active_subscriptions,
    value ->> 'granted_benefits' AS granted_benefits
FROM batch)
UPDATE {schema}.polar_bridge_deletions AS d SET attempts = v.attempts, sent_at = v.sent_at, in_flight = v.in_flight, sent_saw = v.sent_saw,
    sent_anonymized = v.sent_anonymized, counted_at = v.counted_at,
    customer_id = CASE WHEN v.customer_id = '' THEN d.customer_id ELSE v.customer_id END,
    customer_type = CASE WHEN v.customer_id = '' THEN d.customer_type ELSE v.customer_type END,
    customer_created_at = CASE WHEN v.customer_id = '' THEN d.customer_created_at ELSE v.customer_created_at END,
    active_subscriptions = CASE WHEN v.active_subscriptions < 0 AND v.customer_id IN ('', d.customer_id) THEN d.active_subscriptions ELSE v.active_subscriptions END,
    granted_benefits = CASE WHEN v.granted_benefits < 0 AND v.customer_id IN ('', d.customer_id) THEN d.granted_benefits ELSE v.granted_benefits END
FROM v WHERE d.id = v.deletion_id

-- What stands on the row about another run's request is left alone: sent_by is when
-- the attempt itself has begun one.
-- name: WriteDecisions
WITH batch AS MATERIALIZED (SELECT value FROM jsonb_each($1)), v AS MATERIALIZED (SELECT
    value ->> 'deletion_id' AS deletion_id, value ->> 'generation' AS generation, value ->> 'state' AS state,
    value ->> 'result' AS result, value ->> 'polar_status' AS polar_status, value ->> 'polar_error' AS polar_error,
    value ->> 'decided_at' AS decided_at, value ->> 'sent_by' AS sent_by, value ->> 'sent_at' AS sent_at,
    value ->> 'sent_saw' AS sent_saw, value ->> 'sent_anonymized' AS sent_anonymized, value ->> 'dead_before' AS dead_before,
    value ->> 'customer_id' AS customer_id, value ->> 'customer_type' AS customer_type,
    value ->> 'customer_created_at' AS customer_created_at, value ->> 'adds_attempts' AS adds_attempts,
    value ->> 'adds_failures' AS adds_failures, value ->> 'adds_failing_for' AS adds_failing_for,
    value ->> 'lookup_failing_for' AS lookup_failing_for,
    value ->> 'next_try_at' AS next_try_at, value ->> 'hold_reason' AS hold_reason, value ->> 'outcome' AS outcome,
    value ->> 'confirmed_by' AS confirmed_by, value ->> 'anonymized' AS anonymized,
    value ->> 'active_subscriptions' AS active_subscriptions, value ->> 'granted_benefits' AS granted_benefits,
    value ->> 'metadata_search' AS metadata_search, value ->> 'metadata_customers' AS metadata_customers,
    value ->> 'verify_job' AS verify_job, value ->> 'verify_at' AS verify_at, value ->> 'verification' AS verification
FROM batch)
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
FROM v WHERE d.id = v.deletion_id AND d.generation = v.generation AND (
    d.state = 'waiting' AND (d.sent_at = v.sent_by OR NOT d.in_flight OR d.sent_at <= v.dead_before)
    OR v.outcome = 'deleted' AND (d.state IN ('waiting', 'held', 'cancelled') OR d.state = 'done' AND d.outcome = 'not_found'))
RETURNING id

-- name: EndJobs
DELETE FROM {schema}.river_job WHERE id IN (SELECT value FROM json_each($1))

-- name: Records
SELECT id, state, dry_run, redacted, provider, event_id, source, object, user_id, external_id, instance, unusable_id,
    occurred_at, received_at, next_try_at, finished_at, attempts, failures, failing_for, lookup_failing_for, result, decided_at, outcome, confirmed_by, anonymized,
    polar_status, polar_error, hold_reason, held_at, sent_at, in_flight, sent_anonymized, sent_saw, customer_id, customer_type, customer_created_at,
    active_subscriptions, granted_benefits, metadata_search, metadata_customers, verification, verify_at, verified_at, subscriptions_ended, binding, generation, traceparent
FROM {schema}.polar_bridge_deletions WHERE id IN (SELECT value FROM json_each($1))
ORDER BY id

-- name: Approvals
SELECT deletion_id, reason, customer_id FROM {schema}.polar_bridge_approvals
WHERE deletion_id IN (SELECT value FROM json_each($1))
ORDER BY deletion_id, reason

-- name: Actions
SELECT deletion_id, at, operator, action, reason FROM {schema}.polar_bridge_actions
WHERE deletion_id IN (SELECT value FROM json_each($1))
ORDER BY deletion_id, id

-- name: LockRecords
SELECT id, state, dry_run, redacted, provider, event_id, source, object, user_id, external_id, instance, unusable_id,
    occurred_at, received_at, next_try_at, finished_at, attempts, failures, failing_for, lookup_failing_for, result, decided_at, outcome, confirmed_by, anonymized,
    polar_status, polar_error, hold_reason, held_at, sent_at, in_flight, sent_anonymized, sent_saw, customer_id, customer_type, customer_created_at,
    active_subscriptions, granted_benefits, metadata_search, metadata_customers, verification, verify_at, verified_at, subscriptions_ended, binding, generation, traceparent
FROM {schema}.polar_bridge_deletions WHERE id IN (SELECT value FROM json_each($1))
ORDER BY id

-- Marking one takes it, so that of several replicas one counts it.
-- name: TakeUnreported
UPDATE {schema}.polar_bridge_deletions SET reported = TRUE WHERE id IN (
    SELECT id FROM {schema}.polar_bridge_deletions WHERE state = 'cancelled' AND NOT reported ORDER BY id LIMIT $1)
RETURNING id

-- name: RemoveApprovals
DELETE FROM {schema}.polar_bridge_approvals WHERE deletion_id IN (SELECT value FROM json_each($1))

-- name: RemoveActions
DELETE FROM {schema}.polar_bridge_actions WHERE deletion_id IN (SELECT value FROM json_each($1))

-- name: RemoveDeletions
DELETE FROM {schema}.polar_bridge_deletions WHERE id IN (SELECT value FROM json_each($1))

-- name: ReadQueue
SELECT paused_at IS NOT NULL FROM {schema}.river_queue WHERE name = $1

-- name: SomeStalePause
SELECT EXISTS (SELECT 1 FROM {schema}.river_queue WHERE paused_at IS NOT NULL AND updated_at < datetime('now', '-1 hour'))

-- name: KeepPauses
UPDATE {schema}.river_queue SET updated_at = datetime('now', 'subsec') WHERE paused_at IS NOT NULL AND updated_at < datetime('now', '-1 hour')

-- name: SomeInFuture
SELECT EXISTS (SELECT 1 FROM {schema}.river_job WHERE kind IN ('polar_bridge_delete', 'polar_bridge_dry_run', 'polar_bridge_verify')
    AND state IN ('available', 'retryable', 'scheduled') AND coalesce(attempted_at, created_at) > datetime('now', 'subsec', '+1 minute'))

-- What is moved is due by as much later as its last attempt, or its acceptance, lies
-- in the future: what was to wait for a minute still waits for a minute.
-- name: MoveToPresent
UPDATE {schema}.river_job SET scheduled_at = datetime(julianday(scheduled_at) - julianday(coalesce(attempted_at, created_at)) + julianday('now', 'subsec'), 'subsec'),
    attempted_at = CASE WHEN attempted_at IS NULL THEN NULL ELSE datetime('now', 'subsec') END,
    created_at = min(created_at, datetime('now', 'subsec'))
WHERE id IN (SELECT id FROM {schema}.river_job WHERE kind IN ('polar_bridge_delete', 'polar_bridge_dry_run', 'polar_bridge_verify')
    AND state IN ('available', 'retryable', 'scheduled') AND coalesce(attempted_at, created_at) > datetime('now', 'subsec', '+1 minute') LIMIT $1)

-- Due in five seconds, as River looks ahead: whoever fetches looks at the time again.
-- All columns of River's index are named.
-- name: SomeDue
SELECT EXISTS (SELECT 1 FROM {schema}.river_job WHERE state IN ('retryable', 'scheduled') AND queue IN ($1, $2)
    AND priority IN (1, 2, 3, 4) AND scheduled_at <= datetime('now', 'subsec', '+5 seconds'))

-- name: MoveDue
UPDATE {schema}.river_job SET state = 'available' WHERE id IN (SELECT id FROM {schema}.river_job WHERE state IN ('retryable', 'scheduled') AND queue IN ($1, $2)
    AND priority IN (1, 2, 3, 4) AND scheduled_at <= datetime('now', 'subsec', '+5 seconds') LIMIT $3)

-- Nobody waits for the answer to a request that a killed process had sent.
-- name: ResetInFlight
UPDATE {schema}.polar_bridge_deletions SET in_flight = FALSE
WHERE id IN (SELECT args ->> '$.deletion_id' FROM {schema}.river_job WHERE state = 'running')

-- name: ResetRunning
UPDATE {schema}.river_job SET state = 'available', attempt = max(attempt - 1, 0), scheduled_at = datetime('now', 'subsec') WHERE state = 'running'

-- name: DeposeLeader
DELETE FROM {schema}.river_leader
