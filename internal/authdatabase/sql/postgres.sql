-- What this program asks in the auth system's database. It creates nothing there.

-- What tells the database apart from others that have the same tables, and the
-- functions in it.
-- name: Installed
SELECT pg_catalog.current_database() || '@' || s.system_identifier, coalesce(f.proname::text, ''), coalesce(f.prosrc, '')
FROM pg_catalog.pg_control_system() AS s LEFT JOIN (
    SELECT p.proname, p.prosrc FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = '{schema}'
) AS f ON true

-- name: Living
SELECT living FROM {schema}.living($1)

-- name: Take
SELECT id::text, coalesce(user_id, ''), deleted_at FROM {schema}.take($1::integer)

-- name: Done
SELECT {schema}.done($1::text[]::uuid[])

-- Functions that do not run with their owner's rights, or look for tables elsewhere.
-- name: UnsafeFunctions
SELECT p.proname::text FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = '{schema}' AND p.proname IN ('user_deleted', 'take', 'done', 'living')
    AND (NOT p.prosecdef OR p.proconfig IS DISTINCT FROM ARRAY ['search_path=""'])
ORDER BY 1

-- Triggers on the users' table that record: AFTER, for each row, enabled.
-- name: Triggers
SELECT t.tgtype = 9 AND t.tgqual IS NULL, t.tgtype = 17
FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
WHERE n.nspname = '{schema}' AND p.proname = 'user_deleted' AND cn.nspname = $1 AND c.relname = $2 AND t.tgenabled IN ('O', 'A')

-- What might make the insert into the outbox fail, and with it a user's deletion.
-- name: Obstacles
SELECT 'the constraint ' || conname FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass('{schema}.outbox') AND contype <> 'n'
UNION ALL SELECT 'the trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass('{schema}.outbox') AND NOT tgisinternal
UNION ALL SELECT 'the unique index ' || indexrelid::pg_catalog.regclass FROM pg_catalog.pg_index WHERE indrelid = pg_catalog.to_regclass('{schema}.outbox') AND indisunique
UNION ALL SELECT 'row security' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('{schema}.outbox') AND relforcerowsecurity

-- Owners of what is there: all must be one, and not the role that asks.
-- name: Owners
SELECT DISTINCT pg_catalog.pg_get_userbyid(owner)::text, owner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) FROM (
    SELECT nspowner AS owner FROM pg_catalog.pg_namespace WHERE nspname = '{schema}'
    UNION SELECT relowner FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('{schema}.outbox')
    UNION SELECT p.proowner FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = '{schema}' AND p.proname IN ('user_deleted', 'take', 'done', 'living')
) AS owners ORDER BY 1

-- Who may do something there besides the owner, administrators and the role that asks,
-- and more than the role that asks should: by what was granted, and by what comes of it.
-- name: Strangers
WITH objects AS (
    SELECT 'schema'::text AS name, n.oid AS schema, n.oid, 'n'::"char" AS kind, n.nspowner AS owner, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)) AS acl
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname = '{schema}'
    UNION ALL SELECT 'outbox', c.relnamespace, c.oid, 'r', c.relowner, coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))
    FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass('{schema}.outbox')
    UNION ALL SELECT 'outbox', c.relnamespace, c.oid, 'r', c.relowner, a.attacl
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid WHERE c.oid = pg_catalog.to_regclass('{schema}.outbox') AND a.attacl IS NOT NULL
    UNION ALL SELECT p.proname, p.pronamespace, p.oid, 'f', p.proowner, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = '{schema}' AND p.proname IN ('user_deleted', 'take', 'done', 'living')
), held AS (
    SELECT o.name, g.grantee AS role FROM objects AS o, pg_catalog.aclexplode(o.acl) AS g
    WHERE g.grantee <> o.owner
    UNION SELECT o.name, r.oid FROM objects AS o, pg_catalog.pg_roles AS r
    WHERE r.oid <> o.owner AND NOT r.rolsuper AND r.rolname NOT LIKE 'pg\_%' AND CASE o.kind
        WHEN 'n' THEN pg_catalog.has_schema_privilege(r.oid, o.oid, 'CREATE')
        WHEN 'r' THEN pg_catalog.has_table_privilege(r.oid, o.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
        ELSE pg_catalog.has_function_privilege(r.oid, o.oid, 'EXECUTE') AND pg_catalog.has_schema_privilege(r.oid, o.schema, 'USAGE')
    END
)
SELECT DISTINCT CASE h.role WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(h.role)::text END || ' (' || h.name || ')'
FROM held AS h LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = h.role
WHERE r.rolname IS DISTINCT FROM current_user OR h.name NOT IN ('schema', 'take', 'done', 'living')
    OR h.name = 'schema' AND pg_catalog.has_schema_privilege('{schema}', 'CREATE')
UNION SELECT current_user || ' (everything)' FROM pg_catalog.pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)
ORDER BY 1
