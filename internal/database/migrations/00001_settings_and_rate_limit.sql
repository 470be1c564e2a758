-- What every replica must agree on, such as the key of digests.
CREATE TABLE polar_bridge_settings (
    name text PRIMARY KEY,
    value text NOT NULL
);

-- One row per limited API. Times are UNIX microseconds.
CREATE TABLE polar_bridge_rate_limit (
    name text PRIMARY KEY,
    -- theoretical arrival time of the next evenly spaced request
    tat bigint NOT NULL DEFAULT 0,
    -- no request before this time
    blocked_until bigint NOT NULL DEFAULT 0,
    -- why, '' when open
    reason text NOT NULL DEFAULT '',
    -- failures in a row
    failures bigint NOT NULL DEFAULT 0,
    -- when the next request of a sweep is due: all sweeps together leave at
    -- least half of the rate to deletions
    sweep_due bigint NOT NULL DEFAULT 0
);
