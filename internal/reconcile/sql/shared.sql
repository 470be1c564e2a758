-- Statements of sweeps, the same for SQLite and Postgres. $1 is the provider.

-- name: MakeSweep
INSERT INTO {schema}.polar_bridge_sweeps (provider) VALUES ($1) ON CONFLICT (provider) DO NOTHING

-- name: Claim
UPDATE {schema}.polar_bridge_sweeps SET
    attempted_at = CASE WHEN holder = $2 THEN attempted_at ELSE $3 END, holder = $2, leased_until = $4
    WHERE provider = $1 AND (holder = $2 OR leased_until <= $3)

-- name: ReleaseClaim
UPDATE {schema}.polar_bridge_sweeps SET holder = '', leased_until = 0 WHERE provider = $1 AND holder = $2

-- name: Sweep
SELECT phase, started_at, progress FROM {schema}.polar_bridge_sweeps WHERE provider = $1

-- name: CheckAgain
UPDATE {schema}.polar_bridge_sweep_candidates SET status = '' WHERE provider = $1 AND checked_at < $2

-- name: RemoveCandidates
DELETE FROM {schema}.polar_bridge_sweep_candidates WHERE provider = $1

-- name: Begin
UPDATE {schema}.polar_bridge_sweeps SET phase = $3, started_at = $4, progress = '{}'
    WHERE provider = $1 AND holder = $2

-- name: AddCandidate
INSERT INTO {schema}.polar_bridge_sweep_candidates (provider, customer_id, external_id, type, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (provider, customer_id) DO NOTHING

-- name: Save
UPDATE {schema}.polar_bridge_sweeps SET phase = $3, progress = $4 WHERE provider = $1 AND holder = $2

-- name: Record
UPDATE {schema}.polar_bridge_sweep_candidates SET status = $3, checked_at = $4, subscriptions = $5, instance = $6
    WHERE provider = $1 AND customer_id = $2

-- name: Finish
UPDATE {schema}.polar_bridge_sweeps SET phase = '', finished_at = $3, orphans = $4 WHERE provider = $1 AND holder = $2

-- name: Abandon
UPDATE {schema}.polar_bridge_sweeps SET phase = '' WHERE provider = $1 AND holder = $2

-- name: Last
SELECT finished_at, orphans, attempted_at, leased_until, phase FROM {schema}.polar_bridge_sweeps WHERE provider = $1

-- name: CountCandidates
SELECT count(*) FILTER (WHERE status <> ''), count(*) FILTER (WHERE status = 'deleted')
    FROM {schema}.polar_bridge_sweep_candidates WHERE provider = $1

-- name: Candidates
SELECT customer_id, external_id, type, created_at, checked_at, subscriptions, instance
    FROM {schema}.polar_bridge_sweep_candidates WHERE provider = $1 AND status = $2 AND (created_at, customer_id) > ($3, $4)
    ORDER BY created_at, customer_id LIMIT $5

-- Each Polar organization has counts of its own. $2 is the counts.
-- name: SaveMapping
INSERT INTO {schema}.polar_bridge_settings (name, value) VALUES ('polar_customers_' || $1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: LastMapping
SELECT value FROM {schema}.polar_bridge_settings 
WHERE name = 'polar_customers_' || coalesce((SELECT organization FROM {schema}.polar_bridge_bindings WHERE active), '')
