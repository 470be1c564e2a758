-- Statements about the file's own tables.

-- name: TableExists
SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1

-- name: UnreleasedExists
SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = 'polar_bridge_slots'
