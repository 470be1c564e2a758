-- Hanko: what the migrations of https://github.com/teamhanko/hanko backend/v3.0.4 and of the
-- 79 commits behind it leave (backend/persistence/migrations), the e-mail addresses included.
CREATE TABLE tenants (id uuid PRIMARY KEY, config json);
CREATE TABLE users (
    id uuid PRIMARY KEY, created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp NOT NULL DEFAULT now(),
    name varchar(255), family_name varchar(255), given_name varchar(255), picture text,
    tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000001' REFERENCES tenants (id) ON UPDATE CASCADE ON DELETE CASCADE,
    UNIQUE (tenant_id, id)
);
CREATE TABLE emails (id uuid PRIMARY KEY, user_id uuid REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE, address varchar(255) NOT NULL);
CREATE TABLE primary_emails (
    id uuid PRIMARY KEY, email_id uuid NOT NULL UNIQUE REFERENCES emails (id) ON UPDATE CASCADE ON DELETE RESTRICT,
    user_id uuid NOT NULL UNIQUE REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE
);
