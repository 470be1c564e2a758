-- Statements of the rate limit that are the same for SQLite and Postgres.

-- name: MakeRow
INSERT INTO {schema}.polar_bridge_rate_limit (name) VALUES ($1) ON CONFLICT (name) DO NOTHING

-- $2 is whether a probe failed, $3 how many other failures count: all that were under
-- way when an outage began are one.
-- name: CountFailure
UPDATE {schema}.polar_bridge_rate_limit SET failures = CASE WHEN $2 OR failures < $3 THEN failures + 1 ELSE failures END WHERE name = $1 RETURNING failures

-- $2 is the reason that was seen when the permit was acquired: a pause that began
-- since then is younger than the answer.
-- name: Reset
UPDATE {schema}.polar_bridge_rate_limit SET failures = 0, blocked_until = 0, reason = '' WHERE name = $1 AND reason = $2
