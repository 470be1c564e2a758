-- Supabase: what the migrations of https://github.com/supabase/auth v2.196.0 leave, as far
-- as a deletion touches it: the owner is Auth's own role, row security is on, and there is
-- no policy. hosted_postgres has the rights of a hosted project's postgres: no superuser,
-- it passes row security, and it may read auth.users and make triggers there
-- (https://supabase.com/changelog/34270-restricting-access-on-auth-storage-and-realtime-schemas-on-april-21-2025).
DO $$ BEGIN CREATE ROLE supabase_auth_admin NOINHERIT CREATEROLE LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE hosted_postgres CREATEROLE CREATEDB BYPASSRLS LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
CREATE SCHEMA auth AUTHORIZATION supabase_auth_admin;
CREATE TABLE auth.users (
    instance_id uuid, id uuid PRIMARY KEY, aud varchar(255), role varchar(255), email varchar(255), encrypted_password varchar(255),
    raw_app_meta_data jsonb, raw_user_meta_data jsonb, created_at timestamptz, updated_at timestamptz, phone text UNIQUE,
    is_sso_user boolean NOT NULL DEFAULT false, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX users_email_partial_key ON auth.users (email) WHERE NOT is_sso_user;
CREATE TABLE auth.identities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), provider_id text NOT NULL, user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    identity_data jsonb NOT NULL, provider text NOT NULL, UNIQUE (provider_id, provider)
);
ALTER TABLE auth.users OWNER TO supabase_auth_admin;
ALTER TABLE auth.identities OWNER TO supabase_auth_admin;
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA auth TO hosted_postgres;
GRANT SELECT ON auth.users TO hosted_postgres WITH GRANT OPTION;
GRANT TRIGGER ON auth.users TO hosted_postgres;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO hosted_postgres', current_database()); END $$;
