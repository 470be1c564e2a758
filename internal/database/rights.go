package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrRefused says that Postgres does not let this user do what serve does.
var ErrRefused = errors.New("the database's user lacks rights")

// refusedToUse returns why serve could not read and write the tables that are
// there. It only reads those that say which migrations were made.
func (db *DB) refusedToUse(ctx context.Context) (why, err error) {
	const withoutRights = `SELECT coalesce(min(c.relname), '') FROM pg_class c
		WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'S')
		AND (c.relname LIKE 'river\_%' OR c.relname LIKE 'polar\_bridge\_%')
		AND CASE WHEN c.relname IN ($1, 'river_migration') THEN NOT has_table_privilege(c.oid, 'SELECT')
			WHEN c.relkind = 'S' THEN c.relname <> $1 || '_id_seq' AND NOT has_sequence_privilege(c.oid, 'USAGE')
			ELSE NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
			AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) END`
	var name string
	if err := db.Main.QueryRowContext(ctx, withoutRights, migrationTable).Scan(&name); err != nil {
		return nil, fmt.Errorf("look at the user's rights: %w", err)
	}
	if name == "" {
		return nil, nil
	}
	user, where, err := db.userAndSchema(ctx)
	if err != nil {
		return nil, err
	}
	return fmt.Errorf("%w: it may not read and write %q; its owner runs: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s; "+
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA %s TO %s", ErrRefused, name, where, user, where, user), nil
}

func (db *DB) refusedToCreate(ctx context.Context) (why, err error) {
	var may bool
	if err := db.Main.QueryRowContext(ctx, "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)").Scan(&may); err != nil {
		return nil, fmt.Errorf("look at the user's rights: %w", err)
	}
	if may {
		return nil, nil
	}
	user, where, err := db.userAndSchema(ctx)
	if err != nil {
		return nil, err
	}
	return fmt.Errorf("%w: it may make no tables; the database's owner runs: GRANT USAGE, CREATE ON SCHEMA %s TO %s", ErrRefused, where, user), nil
}

// userAndSchema returns both as they are written in SQL. A search path that leads
// nowhere leads to public here.
func (db *DB) userAndSchema(ctx context.Context) (user, schema string, err error) {
	err = db.Main.QueryRowContext(ctx, "SELECT quote_ident(current_user), quote_ident(coalesce(current_schema(), 'public'))").Scan(&user, &schema)
	if err != nil {
		return "", "", fmt.Errorf("look at the user's rights: %w", err)
	}
	return user, schema, nil
}

// explain adds what to do when Postgres refused what was tried.
func (db *DB) explain(ctx context.Context, failed error) error {
	// A schema that may not be used is to the server as if it were not there.
	const insufficientPrivilege, invalidSchema = "42501", "3F000"
	if server := (*pgconn.PgError)(nil); !errors.As(failed, &server) || (server.Code != insufficientPrivilege && server.Code != invalidSchema) {
		return failed
	}
	why, err := db.refusedToUse(ctx)
	if why == nil && err == nil {
		why, err = db.refusedToCreate(ctx)
	}
	if why == nil {
		return errors.Join(failed, err)
	}
	return fmt.Errorf("%w (%w)", why, failed)
}
