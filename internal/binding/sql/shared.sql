-- Statements of the binding, the same for SQLite and Postgres.

-- name: List
SELECT id, organization, address, active, token, asked_at FROM {schema}.polar_bridge_bindings ORDER BY id

-- name: Insert
INSERT INTO {schema}.polar_bridge_bindings (id, organization, address, active, bound_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING

-- name: SetOrganization
UPDATE {schema}.polar_bridge_bindings SET organization = $1 WHERE id = $2 AND organization = ''

-- name: SetAnswered
UPDATE {schema}.polar_bridge_bindings SET token = $1, asked_at = $2 WHERE id = $3

-- name: Active
SELECT id FROM {schema}.polar_bridge_bindings WHERE active

-- The index allows one active binding at a time.
-- name: Deactivate
UPDATE {schema}.polar_bridge_bindings SET active = FALSE WHERE active AND id <> $1

-- name: Activate
UPDATE {schema}.polar_bridge_bindings SET active = TRUE, bound_at = $2 WHERE id = $1
