-- Ory Kratos: what the migrations of https://github.com/ory/kratos v1.3.1 leave.
CREATE TABLE networks (id uuid PRIMARY KEY, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE identities (
    id uuid PRIMARY KEY, schema_id varchar(2048) NOT NULL, traits jsonb NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    nid uuid REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE, state varchar(255) NOT NULL DEFAULT 'active',
    state_changed_at timestamp, metadata_public jsonb, metadata_admin jsonb, available_aal varchar(4), organization_id uuid
);
