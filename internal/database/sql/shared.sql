-- Statements about what every replica must agree on.

-- name: Setting
SELECT value FROM {schema}.polar_bridge_settings WHERE name = $1

-- name: SettingsBeginningWith
SELECT name, value FROM {schema}.polar_bridge_settings WHERE name LIKE $1

-- name: StoreFirstSetting
INSERT INTO {schema}.polar_bridge_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- name: StoreSetting
INSERT INTO {schema}.polar_bridge_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: NewestMigration
SELECT max(version_id) FROM {schema}.polar_bridge_migrations WHERE is_applied

-- name: NewestRiverMigration
SELECT max(version) FROM {schema}.river_migration

-- name: ActiveBinding
SELECT organization, address, bound_at FROM {schema}.polar_bridge_bindings WHERE active

-- name: SomePausedQueue
SELECT count(*) > 0 FROM {schema}.river_queue WHERE paused_at IS NOT NULL
