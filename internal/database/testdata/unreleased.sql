-- The tables of a program from before 0.1.0, as its four migrations left them.
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
-- Deletions of customers within the last hour, on all replicas.
CREATE TABLE polar_bridge_recent_deletions (
    -- the deletion's id in the queue
    deletion_id bigint PRIMARY KEY,
    -- when it was last let through, in UNIX microseconds
    counted_at bigint NOT NULL
);
-- One row per identity provider: the sweep under way, else the last one. Times
-- are UNIX microseconds, 0 for never.
CREATE TABLE polar_bridge_sweeps (
    provider text PRIMARY KEY,
    -- who sweeps, and until when nobody else may
    holder text NOT NULL DEFAULT '',
    leased_until bigint NOT NULL DEFAULT 0,
    -- when somebody last began or went on
    attempted_at bigint NOT NULL DEFAULT 0,
    started_at bigint NOT NULL DEFAULT 0,
    -- reading, checking, or '' when none is under way
    phase text NOT NULL DEFAULT '',
    -- how far it is, as JSON
    progress text NOT NULL DEFAULT '{}',
    -- the last one that came to its end, and what it found
    finished_at bigint NOT NULL DEFAULT 0,
    orphans bigint NOT NULL DEFAULT 0
);
-- Customers whose user the provider did not list in the sweep of that row.
CREATE TABLE polar_bridge_sweep_candidates (
    provider text NOT NULL,
    customer_id text NOT NULL,
    external_id text NOT NULL,
    type text NOT NULL,
    created_at bigint NOT NULL,
    -- deleted or exists, as the provider said when asked about this user alone
    status text NOT NULL DEFAULT '',
    checked_at bigint NOT NULL DEFAULT 0,
    -- active subscriptions, -1 when not known
    subscriptions bigint NOT NULL DEFAULT -1,
    PRIMARY KEY (provider, customer_id)
);
CREATE INDEX polar_bridge_sweep_candidates_by_age ON polar_bridge_sweep_candidates (provider, status, created_at, customer_id);
-- The instance (at Auth0: the tenant) that the status comes from, '' when it is
-- not known.
ALTER TABLE polar_bridge_sweep_candidates ADD COLUMN instance text NOT NULL DEFAULT '';
-- When the next request of a sweep is due, in UNIX microseconds: all sweeps
-- together leave at least half of the rate to deletions.
ALTER TABLE polar_bridge_slots ADD COLUMN sweep_due bigint NOT NULL DEFAULT 0;
CREATE TABLE polar_bridge_migrations (version_id bigint NOT NULL, is_applied boolean NOT NULL);
INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (3, true), (4, true);
INSERT INTO polar_bridge_slots (name) VALUES ('polar');
