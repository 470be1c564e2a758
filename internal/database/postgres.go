package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
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

func openPostgres(ctx context.Context, url string) (*DB, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "polar-bridge"
	}
	main := openPool(config.ConnConfig, mainConnections)
	pooled, err := transactionPooler(ctx, main, config.ConnConfig)
	if err != nil {
		return nil, errors.Join(err, main.Close())
	}
	if pooled && !setsExecMode(url) {
		// Statements that a session has prepared are not there in the next transaction.
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		if err := main.Close(); err != nil {
			return nil, fmt.Errorf("close connections to Postgres: %w", err)
		}
		main = openPool(config.ConnConfig, mainConnections)
	}
	reader := openPool(config.ConnConfig, readerConnections)
	db := &DB{Dialect: Postgres, Main: main, Reader: reader}
	if pooled { // nothing is heard there: River asks every second
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

// openPool returns a handle that keeps up to so many connections.
func openPool(config *pgx.ConnConfig, connections int) *sql.DB {
	pool := stdlib.OpenDB(*config.Copy())
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxLifetime(connectionLifetime)
	return pool
}
