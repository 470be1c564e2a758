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

-- The Polar organizations that the database has belonged to. Numbers begin at 1.
CREATE TABLE polar_bridge_bindings (
    id bigint PRIMARY KEY,
    -- Polar's id of it, '' as long as its address stands in for it
    organization text NOT NULL,
    address text NOT NULL,
    -- whether the database belongs to it now
    active boolean NOT NULL,
    bound_at bigint NOT NULL,
    -- keyed digest of the token that Polar has last answered, and when: a restart
    -- need not ask
    token text NOT NULL DEFAULT '',
    asked_at bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX polar_bridge_bindings_organization ON polar_bridge_bindings (organization) WHERE organization <> '';
CREATE UNIQUE INDEX polar_bridge_bindings_address ON polar_bridge_bindings (address) WHERE organization = '';
CREATE UNIQUE INDEX polar_bridge_bindings_active ON polar_bridge_bindings (active) WHERE active;
