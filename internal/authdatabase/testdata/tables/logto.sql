-- Logto: npm @logto/schemas 1.43.0, tables/users.sql, with the row security of _after_each.sql
-- and _after_all.sql. Logto connects as its tenant's role, which is not the owner.
DO $$ BEGIN CREATE ROLE logto_tenant_default NOINHERIT; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
CREATE TABLE tenants (id varchar(21) PRIMARY KEY, db_user varchar(128) UNIQUE);
CREATE TABLE users (
    tenant_id varchar(21) NOT NULL REFERENCES tenants (id) ON UPDATE CASCADE ON DELETE CASCADE,
    id varchar(12) PRIMARY KEY, username varchar(128), primary_email varchar(128), is_suspended boolean NOT NULL DEFAULT false,
    UNIQUE (tenant_id, username), UNIQUE (tenant_id, primary_email), UNIQUE (tenant_id, id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON users TO logto_tenant_default;
GRANT SELECT (id, db_user) ON tenants TO logto_tenant_default;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants_tenant_id ON tenants USING (db_user = current_user);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_tenant_id ON users AS RESTRICTIVE USING (tenant_id = (SELECT id FROM tenants WHERE db_user = current_user));
CREATE POLICY users_modification ON users USING (true);
