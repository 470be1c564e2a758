-- polar-bridge: deletions of users in "public"."user_entity" become rows of polar_bridge.outbox.
--
-- Review it, then run it in the auth system's database as a role that sees all users
-- (row security must not apply to it) and may make schemas, roles and triggers there.
-- That role owns everything below. It can be run again: unread rows are kept.
-- PostgreSQL 14 or newer. What undoes it: polar-bridge outbox remove
BEGIN;

DO $polar_bridge$
BEGIN
    IF pg_catalog.to_regclass('polar_bridge.polar_bridge_deletions') IS NOT NULL THEN
        RAISE EXCEPTION 'the schema polar_bridge of this database holds polar-bridge''s own tables: set DATABASE_SCHEMA to another name for those first';
    END IF;
    -- What somebody else has made here could do with the owner's rights whatever they want.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_namespace AS n LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
        WHERE n.nspname = 'polar_bridge' AND (n.nspowner <> current_user::pg_catalog.regrole OR c.relowner <> current_user::pg_catalog.regrole)
    ) THEN
        RAISE EXCEPTION 'the schema polar_bridge, or something in it, belongs to another role: run this as that role, or drop the schema if it is nobody''s';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'polar_bridge') THEN
        CREATE ROLE polar_bridge LOGIN; -- set its password afterwards: \password polar_bridge
    END IF;
END
$polar_bridge$;

CREATE SCHEMA IF NOT EXISTS polar_bridge;

-- No key of any kind: this insert must not be able to fail, because a user's deletion
-- would fail with it.
CREATE TABLE IF NOT EXISTS polar_bridge.outbox (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    user_id text,
    deleted_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX IF NOT EXISTS outbox_id ON polar_bridge.outbox (id);

-- With the function go its triggers.
DROP FUNCTION IF EXISTS polar_bridge.user_deleted() CASCADE;
DROP FUNCTION IF EXISTS polar_bridge.take(integer);
DROP FUNCTION IF EXISTS polar_bridge.done(uuid[]);
DROP FUNCTION IF EXISTS polar_bridge.living(text[]);

-- What a deletion of a user does.
CREATE FUNCTION polar_bridge.user_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $polar_bridge$
BEGIN
    -- Who administers another realm or tenant can choose the ids of its users.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = TG_RELID AND a.attname = 'realm_id' AND NOT a.attisdropped
    ) THEN
        IF OLD."realm_id"::pg_catalog.text IS DISTINCT FROM '9b2f-shop' THEN
            RETURN NULL;
        END IF;
    END IF;
    -- A federated user's row is a copy, which is deleted when it is imported again.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = TG_RELID AND a.attname = 'federation_link' AND NOT a.attisdropped
    ) THEN
        IF OLD."federation_link" IS NOT NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    -- A service account belongs to a client.
    IF EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = TG_RELID AND a.attname = 'service_account_client_link' AND NOT a.attisdropped
    ) THEN
        IF OLD."service_account_client_link" IS NOT NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO polar_bridge.outbox (user_id) VALUES (OLD."id"::pg_catalog.text);
    RETURN NULL;
END
$polar_bridge$;

CREATE TRIGGER polar_bridge_deleted AFTER DELETE ON "public"."user_entity"
    FOR EACH ROW EXECUTE FUNCTION polar_bridge.user_deleted();

-- Reads up to n rows and locks them, past those that another server has locked.
CREATE FUNCTION polar_bridge.take(n integer) RETURNS TABLE (id uuid, user_id text, deleted_at timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $polar_bridge$
    SELECT o.id, o.user_id, o.deleted_at FROM polar_bridge.outbox AS o LIMIT n FOR UPDATE SKIP LOCKED
$polar_bridge$;

-- Deletes the rows that were stored elsewhere, and says how many.
CREATE FUNCTION polar_bridge.done(ids uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $polar_bridge$
    WITH gone AS (DELETE FROM polar_bridge.outbox AS o WHERE o.id = ANY (ids) RETURNING o.id)
    SELECT pg_catalog.count(*) FROM gone
$polar_bridge$;

-- Which of these users exist. Whatever might make one who does look gone is an error.
CREATE FUNCTION polar_bridge.living(ids text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $polar_bridge$
DECLARE
    canary pg_catalog.text;
    found pg_catalog.text[];
BEGIN
    IF pg_catalog.pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a replica, which may lag' USING ERRCODE = 'PB001';
    END IF;
    IF pg_catalog.row_security_active('"public"."user_entity"'::pg_catalog.regclass) THEN
        RAISE EXCEPTION 'row security hides users from the owner of this function' USING ERRCODE = 'PB002';
    END IF;
    -- Somebody who is alive must be found in the same way as those who are asked about.
    SELECT u."id"::pg_catalog.text INTO canary FROM "public"."user_entity" AS u LIMIT 1;
    IF canary IS NULL THEN
        RAISE EXCEPTION 'there is no user at all' USING ERRCODE = 'PB003';
    END IF;
    found := ARRAY (
        SELECT asked.id FROM pg_catalog.unnest(ids || canary) AS asked (id)
        WHERE EXISTS (
            SELECT FROM "public"."user_entity" AS u
            WHERE u."id" = CASE WHEN asked.id ~ '^.+$' THEN asked.id::pg_catalog.text END
        )
    );
    IF NOT canary = ANY (found) THEN
        RAISE EXCEPTION 'a user who exists was not found' USING ERRCODE = 'PB004';
    END IF;
    RETURN QUERY SELECT DISTINCT f.id FROM pg_catalog.unnest(found) AS f (id) WHERE f.id = ANY (ids);
END
$polar_bridge$;

-- Nobody else may do anything here, whatever the database grants by default.
DO $polar_bridge$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT 'SCHEMA polar_bridge' AS object, a.grantee
        FROM pg_catalog.pg_namespace AS n, pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
        WHERE n.nspname = 'polar_bridge' AND a.grantee <> n.nspowner
        UNION
        SELECT 'TABLE polar_bridge.outbox', a.grantee
        FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))) AS a
        WHERE c.oid = 'polar_bridge.outbox'::pg_catalog.regclass AND a.grantee <> c.relowner
        UNION
        SELECT 'FUNCTION ' || p.oid::pg_catalog.regprocedure, a.grantee
        FROM pg_catalog.pg_proc AS p, pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
        WHERE p.pronamespace = 'polar_bridge'::pg_catalog.regnamespace AND a.grantee <> p.proowner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM %s CASCADE', granted.object,
            CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::pg_catalog.regrole::text END);
    END LOOP;
END
$polar_bridge$;

GRANT USAGE ON SCHEMA polar_bridge TO polar_bridge;
GRANT EXECUTE ON FUNCTION polar_bridge.take(integer), polar_bridge.done(uuid[]), polar_bridge.living(text[]) TO polar_bridge;

COMMIT;
