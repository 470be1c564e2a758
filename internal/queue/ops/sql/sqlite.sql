-- Statements of operators' commands for SQLite. A batch is one parameter, a JSON array.

-- by polar_bridge_deletions_external_id: $1 is the external ids, $2 the binding, and $3
-- whether dry runs count
-- name: OpenOfExternalIDs
SELECT id FROM {schema}.polar_bridge_deletions
WHERE external_id <> '' AND external_id IN (SELECT value FROM json_each($1))
    AND binding = $2 AND state <> 'done' AND (NOT dry_run OR $3)
ORDER BY id
