-- polar-bridge: undoes what polar-bridge outbox sql has made. Run it as the role that
-- owns it. It refuses while there are deletions that no server has read.
BEGIN;

DO $polar_bridge$
BEGIN
    IF EXISTS (SELECT FROM polar_bridge.outbox) THEN
        RAISE EXCEPTION 'polar_bridge.outbox has rows: let polar-bridge serve read them, or delete them if nobody shall';
    END IF;
END
$polar_bridge$;

-- With the function go its triggers, on tables too that are not the role's own.
DROP FUNCTION IF EXISTS polar_bridge.user_deleted() CASCADE;
DROP FUNCTION IF EXISTS polar_bridge.take(integer);
DROP FUNCTION IF EXISTS polar_bridge.done(uuid[]);
DROP FUNCTION IF EXISTS polar_bridge.living(text[]);
DROP TABLE IF EXISTS polar_bridge.outbox;
-- Without CASCADE: what somebody else keeps in it stays.
DROP SCHEMA IF EXISTS polar_bridge;

COMMIT;

-- Fails when the role is used in another database too.
DROP ROLE IF EXISTS polar_bridge;
