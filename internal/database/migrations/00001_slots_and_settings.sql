-- The text is the same for SQLite and Postgres.
-- +goose Up

-- One row per limited API. Times are UNIX microseconds.
CREATE TABLE polar_bridge_slots (
    name text PRIMARY KEY,
    -- theoretical arrival time of the next evenly spaced request
    tat bigint NOT NULL DEFAULT 0,
    -- no request before this time
    blocked_until bigint NOT NULL DEFAULT 0,
    -- why, '' when open
    reason text NOT NULL DEFAULT '',
    -- failures in a row
    failures bigint NOT NULL DEFAULT 0
);

-- What every replica must agree on, such as the key that digests ids in logs.
CREATE TABLE polar_bridge_settings (
    name text PRIMARY KEY,
    value text NOT NULL
);

-- +goose Down
DROP TABLE polar_bridge_settings;
DROP TABLE polar_bridge_slots;
