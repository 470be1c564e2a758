-- A deletion is one row: it alone says what is true. River's job is only what
-- carries it out. Times are UNIX microseconds, 0 for none.
CREATE TABLE polar_bridge_deletions (
    {id},
    -- keyed digest of binding, provider, event id, dry run and variant: it recognises a
    -- repeat, also once everything personal was taken out of the row
    idempotency_key text NOT NULL,

    provider text NOT NULL,
    event_id text NOT NULL,
    dry_run boolean NOT NULL,
    -- the Polar organization that it belongs to: only its servers carry it out
    binding bigint NOT NULL DEFAULT 1,
    -- '', or a digest of the user of a repeat that names another one
    variant text NOT NULL,
    -- webhook, outbox, operator, reconcile or selftest
    source text NOT NULL,
    -- what was deleted: user or organization
    object text NOT NULL DEFAULT 'user',
    instance text NOT NULL,
    user_id text NOT NULL,
    external_id text NOT NULL,
    -- the offending id, quoted, when no request can name the customer
    unusable_id text NOT NULL,
    -- 0 when the event has a time that cannot be read
    occurred_at bigint NOT NULL,
    received_at bigint NOT NULL,
    -- the W3C Trace Context header that the webhook came with, '' without one
    traceparent text NOT NULL DEFAULT '',

    -- waiting, held, done, cancelled or reappeared
    state text NOT NULL,
    hold_reason text NOT NULL DEFAULT '',
    held_at bigint NOT NULL DEFAULT 0,
    -- River's job that carries it out, or looks afterwards; 0 when there is none
    job_id bigint NOT NULL DEFAULT 0,
    -- counts how often it was sent on its way: a job of an older one does nothing
    generation bigint NOT NULL DEFAULT 1,
    next_try_at bigint NOT NULL DEFAULT 0,

    -- requests that may have been sent, and tries in a row that failed
    attempts bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    -- for how long it has failed, without pauses, in microseconds
    failing_for bigint NOT NULL DEFAULT 0,
    -- the same of a lookup that fails although Polar works
    lookup_failing_for bigint NOT NULL DEFAULT 0,
    -- when the last attempt was decided, and what it came to
    decided_at bigint NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '',
    polar_status bigint NOT NULL DEFAULT 0,
    polar_error text NOT NULL DEFAULT '',
    -- when a request was sent that may have been done; 0 when none was
    sent_at bigint NOT NULL DEFAULT 0,
    -- whether its answer is still waited for, unless its process died
    in_flight boolean NOT NULL DEFAULT FALSE,
    -- what the lookup before it came to: customer, found (by metadata, so the request named
    -- Polar's id), nobody, or '' when nobody looked
    sent_saw text NOT NULL DEFAULT '',
    -- whether all of those asked to erase name and e-mail as well
    sent_anonymized boolean NOT NULL DEFAULT FALSE,
    -- when it took its place in the hour; 0 when it never did
    counted_at bigint NOT NULL DEFAULT 0,
    -- the customer as last looked up
    customer_id text NOT NULL DEFAULT '',
    customer_type text NOT NULL DEFAULT '',
    customer_created_at bigint NOT NULL DEFAULT 0,

    -- deleted, not_found, dry_run or cancelled
    outcome text NOT NULL DEFAULT '',
    confirmed_by text NOT NULL DEFAULT '',
    anonymized boolean NOT NULL DEFAULT FALSE,
    finished_at bigint NOT NULL DEFAULT 0,
    -- whether a server has counted and logged that it was cancelled
    reported boolean NOT NULL DEFAULT FALSE,
    -- what the lookup found that the deletion would end, -1 when not known
    active_subscriptions bigint NOT NULL DEFAULT -1,
    granted_benefits bigint NOT NULL DEFAULT -1,
    -- what the last search by metadata came to, '' when nobody searched, and the
    -- customers whom it found when they are several
    metadata_search text NOT NULL DEFAULT '',
    metadata_customers text NOT NULL DEFAULT '',
    -- when Polar is asked whether the customer stayed away, and what it said:
    -- pending, gone, found, subscription_active or error
    verify_at bigint NOT NULL DEFAULT 0,
    verification text NOT NULL DEFAULT '',
    verified_at bigint NOT NULL DEFAULT 0,
    -- whether Polar said then that no subscription of the customer is active: yes, no,
    -- not asked, or '' before
    subscriptions_ended text NOT NULL DEFAULT '',
    -- whether forget took everything personal out
    redacted boolean NOT NULL DEFAULT FALSE
) {storage};

-- The idempotency key: serves accept.
CREATE UNIQUE INDEX polar_bridge_deletions_key ON polar_bridge_deletions (idempotency_key);
-- What is not done: serves the gauges, list --state, approve, cancel and retry of
-- many, the orphan sweep.
CREATE INDEX polar_bridge_deletions_pending ON polar_bridge_deletions (state, id, dry_run, hold_reason) WHERE state IN ('waiting', 'held', 'reappeared');
-- A person: serves list --external-id and forget.
CREATE INDEX polar_bridge_deletions_external_id ON polar_bridge_deletions (external_id) WHERE external_id <> '';
-- The hour: serves begin send.
CREATE INDEX polar_bridge_deletions_counted ON polar_bridge_deletions (counted_at) WHERE counted_at > 0;
-- What finished: serves export and the cleaning after RETENTION.
CREATE INDEX polar_bridge_deletions_finished ON polar_bridge_deletions (finished_at) WHERE finished_at > 0;
-- Pending verifications: serves the orphan sweep.
CREATE INDEX polar_bridge_deletions_unverified ON polar_bridge_deletions (id) WHERE verification = 'pending';
-- Cancelled ones that no server has counted: serves the servers' look for them.
CREATE INDEX polar_bridge_deletions_unreported ON polar_bridge_deletions (id) WHERE state = 'cancelled' AND NOT reported;

-- The guards that an operator lets a deletion pass.
CREATE TABLE polar_bridge_approvals (
    deletion_id bigint NOT NULL,
    reason text NOT NULL,
    -- Polar's id of the customer that it was given for, '' when none was known
    customer_id text NOT NULL,
    PRIMARY KEY (deletion_id, reason)
);

-- What operators did. Those of pause and resume have the deletion id 0.
CREATE TABLE polar_bridge_actions (
    {id},
    deletion_id bigint NOT NULL,
    at bigint NOT NULL,
    operator text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL
);
-- A deletion's actions: serves show, and the count of cancelled ones.
CREATE INDEX polar_bridge_actions_deletion ON polar_bridge_actions (deletion_id, id);

-- What one of the servers does for all: who, and until when nobody else.
CREATE TABLE polar_bridge_leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    leased_until bigint NOT NULL
);

-- River's indexes for searching in jobs, which nothing does here: a job holds an id. On
-- PostgreSQL each change of a job's state wrote an entry into both of them.
DROP INDEX IF EXISTS river_job_args_index;
DROP INDEX IF EXISTS river_job_metadata_index;
