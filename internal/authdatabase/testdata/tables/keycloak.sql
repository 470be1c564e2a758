-- Keycloak: the columns of https://github.com/keycloak/keycloak
-- model/jpa/src/main/java/org/keycloak/models/jpa/entities/UserEntity.java at 01a42f4.
CREATE TABLE user_entity (
    id varchar(36) PRIMARY KEY, username varchar(255), first_name varchar(255), created_timestamp bigint, last_name varchar(255),
    email varchar(255), enabled boolean NOT NULL DEFAULT false, email_verified boolean NOT NULL DEFAULT false,
    email_constraint varchar(255), realm_id varchar(255), federation_link varchar(255), service_account_client_link varchar(255),
    not_before integer NOT NULL DEFAULT 0, UNIQUE (realm_id, username), UNIQUE (realm_id, email_constraint)
);
