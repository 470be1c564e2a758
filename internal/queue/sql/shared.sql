-- Statements of the queue that are the same for SQLite and Postgres. SQLite takes the
-- index of what is not done only where its whole condition is repeated.

-- name: WasDecided
SELECT EXISTS (SELECT 1 FROM {schema}.polar_bridge_deletions WHERE id = $1 AND generation = $2 AND decided_at = $3 AND result = $4)

-- A time in the future comes from a clock that stepped back. It counts from now
-- on, so that it can neither vanish early nor stay for ever.
-- name: CountFromNow
UPDATE {schema}.polar_bridge_deletions SET counted_at = $1 WHERE counted_at > $1 AND counted_at > 0

-- name: CountHour
SELECT count(*) FROM {schema}.polar_bridge_deletions WHERE counted_at > $1 AND counted_at > 0

-- name: SendAgain
UPDATE {schema}.polar_bridge_deletions SET generation = $2, job_id = $3, next_try_at = $4 WHERE id = $1

-- name: CountPending
SELECT state, '' AS hold_reason, count(*) FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'waiting' GROUP BY state
UNION ALL
SELECT state, hold_reason, count(*) FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'held' GROUP BY state, hold_reason
UNION ALL
SELECT state, verification, count(*) FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'reappeared' GROUP BY state, verification

-- name: OldestWaiting
SELECT received_at FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'waiting' AND dry_run = $1 ORDER BY id LIMIT 1

-- name: SomeUnreported
SELECT EXISTS (SELECT 1 FROM {schema}.polar_bridge_deletions WHERE state = 'cancelled' AND NOT reported)

-- An end of the lease after $5 was written by a clock that has stepped back since.
-- name: ClaimLease
INSERT INTO {schema}.polar_bridge_leases AS l (name, holder, leased_until) VALUES ($1, $2, $4)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
WHERE l.holder = excluded.holder OR l.leased_until <= $3 OR l.leased_until > $5

-- $1 is after which id to look, $2 how many are looked at.
-- name: EndOfWaitingChunk
SELECT max(id) FROM (SELECT id FROM {schema}.polar_bridge_deletions WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'waiting' AND id > $1 ORDER BY id LIMIT $2) AS chunk

-- name: EndOfUnverifiedChunk
SELECT max(id) FROM (SELECT id FROM {schema}.polar_bridge_deletions WHERE verification = 'pending' AND id > $1 ORDER BY id LIMIT $2) AS chunk

-- An orphan is a deletion that no live job will carry out, or verify, and to which
-- nothing has happened since $3; from $1, exclusive, to $2.
-- name: WaitingOrphans
SELECT id FROM {schema}.polar_bridge_deletions
WHERE state IN ('waiting', 'held', 'reappeared') AND state = 'waiting' AND id > $1 AND id <= $2 AND received_at < $3 AND decided_at < $3 AND sent_at < $3
    AND NOT EXISTS (SELECT 1 FROM {schema}.river_job AS j
        WHERE j.id = job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
ORDER BY id

-- name: UnverifiedOrphans
SELECT id FROM {schema}.polar_bridge_deletions
WHERE verification = 'pending' AND id > $1 AND id <= $2 AND received_at < $3 AND decided_at < $3 AND sent_at < $3
    AND NOT EXISTS (SELECT 1 FROM {schema}.river_job AS j
        WHERE j.id = job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled'))
ORDER BY id

-- name: IsOrphan
SELECT EXISTS (SELECT 1 FROM {schema}.polar_bridge_deletions
    WHERE id = $1 AND (state = 'waiting' OR verification = 'pending') AND received_at < $2 AND decided_at < $2 AND sent_at < $2
        AND NOT EXISTS (SELECT 1 FROM {schema}.river_job AS j
            WHERE j.id = job_id AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')))

-- name: OldDeletions
SELECT id FROM {schema}.polar_bridge_deletions
WHERE finished_at > 0 AND finished_at < $1 AND state IN ('done', 'cancelled') ORDER BY finished_at LIMIT $2

-- name: VerificationFailed
UPDATE {schema}.polar_bridge_deletions SET failures = failures + 1, failing_for = failing_for + $2
WHERE id = $1 AND verification = 'pending'

-- name: Verified
UPDATE {schema}.polar_bridge_deletions SET verification = $2, verified_at = $3, subscriptions_ended = $9, state = $4, job_id = 0, failures = 0,
    customer_id = CASE WHEN $5 = '' THEN customer_id ELSE $5 END,
    customer_type = CASE WHEN $5 = '' THEN customer_type ELSE $6 END,
    customer_created_at = CASE WHEN $5 = '' THEN customer_created_at ELSE $7 END
WHERE id = $1 AND generation = $8 AND verification = 'pending'

-- name: PausedQueue
SELECT paused_at FROM {schema}.river_queue WHERE paused_at IS NOT NULL ORDER BY paused_at DESC LIMIT 1

-- name: IsPaused
SELECT EXISTS (SELECT 1 FROM {schema}.river_queue WHERE name = $1 AND paused_at IS NOT NULL)

-- A server would make the queue's row at its first start; a pause must not have to
-- wait for that.
-- name: MakeQueue
INSERT INTO {schema}.river_queue (name, created_at, updated_at) VALUES ($1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT (name) DO NOTHING
