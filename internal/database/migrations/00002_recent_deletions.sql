-- The text is the same for SQLite and Postgres.
-- +goose Up

-- Deletions of customers within the last hour, on all replicas.
CREATE TABLE polar_bridge_recent_deletions (
    -- the deletion's id in the queue
    deletion_id bigint PRIMARY KEY,
    -- when it was last let through, in UNIX microseconds
    counted_at bigint NOT NULL
);

-- +goose Down
DROP TABLE polar_bridge_recent_deletions;
