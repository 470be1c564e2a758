-- Auth.js: the tables that https://authjs.dev/getting-started/adapters/pg asks for,
-- for @auth/pg-adapter 1.11.3. There are no foreign keys.
CREATE TABLE users (id serial PRIMARY KEY, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text);
CREATE TABLE accounts (
    id serial PRIMARY KEY, "userId" integer NOT NULL, type varchar(255) NOT NULL, provider varchar(255) NOT NULL,
    "providerAccountId" varchar(255) NOT NULL, refresh_token text, access_token text, expires_at bigint, id_token text,
    scope text, session_state text, token_type text
);
CREATE TABLE sessions (id serial PRIMARY KEY, "userId" integer NOT NULL, expires timestamptz NOT NULL, "sessionToken" varchar(255) NOT NULL);
CREATE TABLE verification_token (identifier text NOT NULL, expires timestamptz NOT NULL, token text NOT NULL, PRIMARY KEY (identifier, token));
