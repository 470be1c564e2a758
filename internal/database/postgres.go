package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
)

const (
	// connectTimeout bounds one attempt to connect, so that a webhook hears 503
	// in time; connect_timeout in the URL overrides it.
	connectTimeout = 1500 * time.Millisecond
	// mainConnections bound what one replica takes from the server: webhooks,
	// workers and River's own services.
	mainConnections = 10
	// connectionLifetime lets connections move after a failover or a resize.
	connectionLifetime = 30 * time.Minute
)

func openPostgres(ctx context.Context, url, schema string) (*DB, error) {
	if err := CheckSchema(schema); err != nil {
		return nil, err
	}
	config, err := clientConfig(url)
	if err != nil {
		return nil, err
	}
	pooled, notified, err := transactionPooler(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	var options []stdlib.OptionOpenDB
	switch {
	case !pooled:
		options = append(options, stdlib.OptionAfterConnect(preferIndexes))
	case !setsExecMode(url):
		// Statements that a session has prepared are not there in the next transaction.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	main := openPool(config.ConnConfig, mainConnections, options...)
	reader := openPool(config.ConnConfig, readerConnections, options...)
	db := &DB{Dialect: Postgres, Main: main, Reader: reader, pooled: pooled}
	if err := db.useSchema(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !notified { // River asks every second
		return db, nil
	}
	// River takes its LISTEN connection out of this pool for good.
	config.MinConns, config.MaxConns = 0, 1
	db.listener, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open Postgres: %w", err), db.Close())
	}
	return db, nil
}

// Connect returns a handle for up to so many connections to a Postgres database that is
// not ours. Nothing is sent yet, and what is sent works behind a transaction pooler.
func Connect(url string, connections int) (*sql.DB, error) {
	config, err := clientConfig(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	return openPool(config.ConnConfig, connections), nil
}

// clientConfig reads the URL, with defaults for what it leaves out.
func clientConfig(url string) (*pgxpool.Config, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectTimeout)
	parameters := config.ConnConfig.RuntimeParams
	parameters["application_name"] = cmp.Or(parameters["application_name"], "polar-bridge")
	return config, nil
}

// CheckSchema says why a schema cannot be ours. It must need no quotes, and be short
// enough for the names of River's notifications.
func CheckSchema(name string) error {
	if !schemaName.MatchString(name) || strings.HasPrefix(name, "pg_") || name == "public" || name == "information_schema" {
		return errSchema
	}
	return nil
}

var (
	schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	errSchema  = errors.New("DATABASE_SCHEMA must be a schema of its own: a lower-case letter, then up to 39 lower-case letters, digits and underscores, " +
		"neither public nor information_schema nor pg_…")
)

// useSchema refuses reserved words, which only the server knows.
func (db *DB) useSchema(ctx context.Context, schema string) error {
	if err := db.use(namedsql.Target{Postgres: true, Schema: schema}); err != nil {
		return err
	}
	var usable bool
	if err := db.Main.QueryRowContext(ctx, db.sql.SchemaUsable).Scan(&usable); err != nil {
		return fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	if !usable {
		return fmt.Errorf("DATABASE_SCHEMA %s is a reserved word of SQL: choose another name", schema)
	}
	return nil
}

// preferIndexes prepares a connection. Plans of prepared statements are kept for as
// long as it lives, and the first are made while the tables are empty: to read the
// whole table is cheapest then, and would be done for thousands of rows until the next
// ANALYZE. So that is left to where there is no other way, and such plans, which look
// expensive, are not compiled. A transaction pooler would hand this on to others, and
// its statements are planned each time.
func preferIndexes(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET enable_seqscan = off; SET jit = off", pgx.QueryExecModeSimpleProtocol)
	return err
}

// openPool returns a handle that keeps up to so many connections.
func openPool(config *pgx.ConnConfig, connections int, options ...stdlib.OptionOpenDB) *sql.DB {
	pool := stdlib.OpenDB(*config.Copy(), options...)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(connectionLifetime)
	return pool
}
