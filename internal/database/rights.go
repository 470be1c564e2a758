package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrRefused says that Postgres does not let this user do what serve does.
	ErrRefused = errors.New("the database's user lacks rights")
	// ErrShared says that the schema is not this program's alone.
	ErrShared = errors.New("the schema must be polar-bridge's alone")
)

// CheckExclusive returns ErrShared when others could change on Postgres what serve
// does: a role besides the tables' owner and this user that may write to them, which
// could make a deletion of anybody, or River jobs of another program, which this one
// would discard. A SQLite file has an owner and a mode instead.
func (db *DB) CheckExclusive(ctx context.Context) error {
	if db.Dialect != Postgres {
		return nil
	}
	var others, kind string
	if err := db.Main.QueryRowContext(ctx, db.sql.OtherWriters).Scan(&others); err != nil {
		return fmt.Errorf("look who may write: %w", err)
	}
	if others != "" {
		return fmt.Errorf("%w: others may write to the tables in %s, and could have anybody's customer deleted; "+
			"its owner runs: REVOKE ALL ON ALL TABLES IN SCHEMA %s FROM %s; REVOKE ALL ON SCHEMA %s FROM %s",
			ErrShared, db.SQL.Schema, db.SQL.Schema, others, db.SQL.Schema, others)
	}
	if err := db.Main.QueryRowContext(ctx, db.sql.WritersOfAll).Scan(&others); err != nil {
		return fmt.Errorf("look who may write everywhere: %w", err)
	}
	if others != "" {
		return fmt.Errorf("%w: others may write to all tables of the server, and could have anybody's customer deleted; "+
			"an administrator runs: REVOKE pg_write_all_data FROM %s (or from the group by which they have it)", ErrShared, others)
	}
	if err := db.Main.QueryRowContext(ctx, db.sql.ForeignKind).Scan(&kind); err != nil {
		return fmt.Errorf("look for jobs of other programs: %w", err)
	}
	if kind != "" {
		return fmt.Errorf("%w: another program keeps its River jobs in %s, of the kind %q, and this one would discard them; "+
			"set DATABASE_SCHEMA to a schema that nobody else uses", ErrShared, db.SQL.Schema, kind)
	}
	return nil
}

// refusedToUse returns why serve could not read and write the tables that are
// there. It only reads those that say which migrations were made.
func (db *DB) refusedToUse(ctx context.Context) (why, err error) {
	var name string
	if err := db.Main.QueryRowContext(ctx, db.sql.TableWithoutRights).Scan(&name); err != nil {
		return nil, fmt.Errorf("look at the user's rights: %w", err)
	}
	rights, err := db.rights(ctx)
	if err != nil || name == "" && (rights.use || !rights.there) {
		return nil, err
	}
	where, user := db.SQL.Schema, rights.user
	return fmt.Errorf("%w: it may not read and write %q; its owner runs: GRANT USAGE ON SCHEMA %s TO %s; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s; "+
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA %s TO %s", ErrRefused, cmp.Or(name, where), where, user, where, user, where, user), nil
}

// refusedToCreate returns why the tables could not be made.
func (db *DB) refusedToCreate(ctx context.Context) (why, err error) {
	rights, err := db.rights(ctx)
	switch {
	case err != nil:
		return nil, err
	case rights.there && (!rights.use || !rights.create):
		return fmt.Errorf("%w: it may make no tables; the schema's owner runs: GRANT USAGE, CREATE ON SCHEMA %s TO %s", ErrRefused, db.SQL.Schema, rights.user), nil
	case !rights.there && !rights.createSchema:
		return fmt.Errorf("%w: it may make no schema; the database's owner runs: CREATE SCHEMA %s AUTHORIZATION %s", ErrRefused, db.SQL.Schema, rights.user), nil
	}
	return nil, nil
}

// rights are what the user may do with the schema.
type rights struct {
	there, use, create, createSchema bool
	// user is written as in SQL.
	user string
}

func (db *DB) rights(ctx context.Context) (r rights, err error) {
	err = db.Main.QueryRowContext(ctx, db.sql.SchemaRights).Scan(&r.there, &r.use, &r.create, &r.createSchema, &r.user)
	if err != nil {
		return rights{}, fmt.Errorf("look at the user's rights: %w", err)
	}
	return r, nil
}

// explain adds what to do when Postgres refused what was tried.
func (db *DB) explain(ctx context.Context, failed error) error {
	const insufficientPrivilege = "42501"
	if server := (*pgconn.PgError)(nil); !errors.As(failed, &server) || server.Code != insufficientPrivilege {
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
