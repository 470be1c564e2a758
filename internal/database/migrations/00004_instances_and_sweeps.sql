-- The text is the same for SQLite and Postgres.
-- +goose Up

-- The instance (at Auth0: the tenant) that the status comes from, '' when it is
-- not known.
ALTER TABLE polar_bridge_sweep_candidates ADD COLUMN instance text NOT NULL DEFAULT '';

-- When the next request of a sweep is due, in UNIX microseconds: all sweeps
-- together leave at least half of the rate to deletions.
ALTER TABLE polar_bridge_slots ADD COLUMN sweep_due bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE polar_bridge_slots DROP COLUMN sweep_due;
ALTER TABLE polar_bridge_sweep_candidates DROP COLUMN instance;
