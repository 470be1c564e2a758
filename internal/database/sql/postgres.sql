-- Statements that read Postgres' catalog.

-- name: TableExists
SELECT to_regclass('{schema}.' || $1) IS NOT NULL

-- Tables from before 0.1.0 are where the search path leads, or in public.
-- name: UnreleasedExists
SELECT to_regclass('polar_bridge_slots') IS NOT NULL
    OR EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'polar_bridge_deletions')

-- Schemas are named without quotes: a reserved word is none of ours.
-- name: SchemaUsable
SELECT quote_ident('{schema}') = '{schema}'

-- name: SchemaExists
SELECT to_regnamespace('{schema}') IS NOT NULL

-- name: CreateSchema
CREATE SCHEMA {schema}

-- name: OwnsSchema
SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = '{schema}'

-- name: RevokeSchema
REVOKE ALL ON SCHEMA {schema} FROM PUBLIC

-- name: RevokeTables
REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC

-- For a migration's own transaction: its text names no schema.
-- name: MigrateInSchema
SET LOCAL search_path TO {schema}

-- name: TableWithoutRights
SELECT coalesce(min(c.relname), '') FROM pg_class c
WHERE c.relnamespace = to_regnamespace('{schema}') AND c.relkind IN ('r', 'S')
    AND (c.relname LIKE 'river\_%' OR c.relname LIKE 'polar\_bridge\_%')
    AND CASE WHEN c.relname IN ('polar_bridge_migrations', 'river_migration') THEN NOT has_table_privilege(c.oid, 'SELECT')
        WHEN c.relkind = 'S' THEN c.relname <> 'polar_bridge_migrations_id_seq' AND NOT has_sequence_privilege(c.oid, 'USAGE')
        ELSE NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
            AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) END

-- Whether the user may use the schema, make tables in it, and whether it may make the
-- schema.
-- name: SchemaRights
SELECT n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE'), false), coalesce(has_schema_privilege(n.oid, 'CREATE'), false),
    has_database_privilege(current_database(), 'CREATE'), quote_ident(current_user)
FROM (SELECT to_regnamespace('{schema}')::oid AS oid) AS n

-- Roles that were granted to write into a table of ours: neither its owner, nor this
-- user, nor a superuser. A role that may not use the schema cannot write; PUBLIC counts.
-- name: OtherWriters
SELECT coalesce(string_agg(DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, ', '), '')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = '{schema}'
CROSS JOIN LATERAL (
    SELECT grantee, privilege_type FROM aclexplode(c.relacl)
    UNION ALL
    SELECT x.grantee, x.privilege_type FROM pg_attribute AS t CROSS JOIN LATERAL aclexplode(t.attacl) AS x WHERE t.attrelid = c.oid
) AS a
LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.relkind IN ('r', 'p', 'v') AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    AND a.grantee <> c.relowner
    AND (a.grantee = 0 OR r.rolname <> current_user AND NOT r.rolsuper AND has_schema_privilege(a.grantee, n.oid, 'USAGE'))

-- Members of pg_write_all_data (since Postgres 14), who may write into every table.
-- Administrators, who could make themselves one, are none: in managed databases they are.
-- name: WritersOfAll
SELECT coalesce(string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname), '')
FROM pg_roles AS r
JOIN pg_roles AS w ON w.rolname = 'pg_write_all_data' AND pg_has_role(r.oid, w.oid, 'MEMBER')
JOIN pg_namespace AS n ON n.nspname = '{schema}' AND n.nspowner <> r.oid
WHERE r.rolcanlogin AND r.rolname <> current_user AND NOT r.rolsuper AND NOT r.rolcreaterole

-- River's jobs that are not ours, by ranges of the index on their kind.
-- name: ForeignKind
SELECT coalesce(min(kind), '') FROM (
    (SELECT kind FROM {schema}.river_job WHERE kind < 'polar_bridge_delete' LIMIT 1)
    UNION ALL (SELECT kind FROM {schema}.river_job WHERE kind > 'polar_bridge_delete' AND kind < 'polar_bridge_dry_run' LIMIT 1)
    UNION ALL (SELECT kind FROM {schema}.river_job WHERE kind > 'polar_bridge_dry_run' AND kind < 'polar_bridge_verify' LIMIT 1)
    UNION ALL (SELECT kind FROM {schema}.river_job WHERE kind > 'polar_bridge_verify' LIMIT 1)
) AS found
