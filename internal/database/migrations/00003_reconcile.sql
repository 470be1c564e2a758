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
    -- the instance (at Auth0: the tenant) that the status comes from, '' when it
    -- is not known
    instance text NOT NULL DEFAULT '',
    PRIMARY KEY (provider, customer_id)
);

-- Serves the sweep's walk through its candidates.
CREATE INDEX polar_bridge_sweep_candidates_by_age ON polar_bridge_sweep_candidates (provider, status, created_at, customer_id);
