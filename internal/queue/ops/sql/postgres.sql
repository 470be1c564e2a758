-- Statements of operators' commands for Postgres. A batch is one parameter, a JSON array.

-- by polar_bridge_deletions_external_id: $1 is the external ids, $2 the binding, and $3
-- whether dry runs count
-- name: OpenOfExternalIDs
SELECT id FROM {schema}.polar_bridge_deletions
WHERE external_id <> '' AND external_id = ANY (ARRAY (SELECT value FROM json_array_elements_text(CAST($1 AS json))))
    AND binding = $2 AND state <> 'done' AND (NOT dry_run OR $3)
ORDER BY id
