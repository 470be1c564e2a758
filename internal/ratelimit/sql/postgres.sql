-- Statements of the rate limit for Postgres; the two files differ in the clock. $1 is the row's
-- name and $2 the time, null for the server's own. Times beyond the bounds come from a clock that stepped
-- back, and count as past. A pause whose reason is unauthorized, unexpected or outage
-- needs a probe to end: one request goes alone.

-- The row as it is once nobody else has it locked, and the time since then.
-- name: Lock
WITH locked AS MATERIALIZED (SELECT tat, blocked_until, reason, failures, sweep_due FROM {schema}.polar_bridge_rate_limit WHERE name = $1 FOR UPDATE)
SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)), tat, blocked_until, reason, failures, sweep_due FROM locked

-- name: Look
SELECT clock.now, tat, blocked_until, reason, failures, sweep_due FROM {schema}.polar_bridge_rate_limit, (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1

-- $3 is the longest pause, $4 the tolerance, $5 the interval, $6 a probe's lease; for
-- all that is taken at once $7 the tolerance and $8 the interval; $9 the interval of
-- sweeps for one of them, else 0.
-- name: Take
UPDATE {schema}.polar_bridge_rate_limit SET
    tat = CASE WHEN tat > clock.now AND tat <= clock.now + $4 THEN tat ELSE clock.now END + $8,
    blocked_until = CASE WHEN reason IN ('unauthorized', 'unexpected', 'outage') THEN clock.now + $6 ELSE 0 END,
    reason = CASE WHEN reason IN ('unauthorized', 'unexpected', 'outage') THEN reason ELSE '' END,
    sweep_due = CASE WHEN CAST($9 AS bigint) > 0 THEN clock.now + CAST($9 AS bigint) ELSE sweep_due END
FROM (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1 AND NOT (blocked_until > clock.now AND blocked_until <= clock.now + $3)
    AND NOT (tat > clock.now + $7 AND tat <= clock.now + $4 + $5)
    AND NOT (CAST($9 AS bigint) > 0 AND sweep_due > clock.now AND sweep_due <= clock.now + CAST($9 AS bigint))
RETURNING 0, tat, blocked_until, reason, failures, sweep_due

-- $3 is the tolerance, $4 the interval.
-- name: Charge
UPDATE {schema}.polar_bridge_rate_limit SET
    tat = CASE WHEN tat <= clock.now THEN clock.now + $4 WHEN tat <= clock.now + $3 THEN tat + $4 ELSE tat END
FROM (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1

-- $3 is the longest pause, $4 this one, $5 its reason.
-- name: Pause
UPDATE {schema}.polar_bridge_rate_limit SET
    blocked_until = CASE WHEN blocked_until > clock.now + $4 AND blocked_until <= clock.now + $3 THEN blocked_until ELSE clock.now + $4 END,
    reason = $5, failures = 0
FROM (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1

-- $3 is the longest pause, $4 this one, $5 after how many failures there is one.
-- name: PauseAfterFailures
UPDATE {schema}.polar_bridge_rate_limit SET
    blocked_until = CASE WHEN blocked_until > clock.now + $4 AND blocked_until <= clock.now + $3 THEN blocked_until ELSE clock.now + $4 END,
    reason = CASE WHEN reason IN ('unauthorized', 'unexpected', 'outage') OR (blocked_until > clock.now AND blocked_until <= clock.now + $3) THEN reason ELSE 'outage' END
FROM (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1 AND (reason IN ('unauthorized', 'unexpected', 'outage') OR failures >= $5)

-- The same; the end of a probe's own lease is not a pause to be kept.
-- name: PauseAfterProbe
UPDATE {schema}.polar_bridge_rate_limit SET
    blocked_until = clock.now + $4,
    reason = CASE WHEN reason IN ('unauthorized', 'unexpected', 'outage') OR (blocked_until > clock.now AND blocked_until <= clock.now + $3) THEN reason ELSE 'outage' END
FROM (SELECT coalesce($2, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)) AS now) AS clock WHERE name = $1 AND (reason IN ('unauthorized', 'unexpected', 'outage') OR failures >= $5)
