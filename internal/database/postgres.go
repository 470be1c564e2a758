package database

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's text may quote the URL and with it the password.
		return nil, errors.New("the Postgres URL cannot be parsed: write postgres://user:password@host:5432/name with special characters percent-encoded")
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "polar-bridge"
	}
	main := stdlib.OpenDB(*config.ConnConfig.Copy())
	main.SetMaxOpenConns(mainConnections)
	main.SetMaxIdleConns(mainConnections)
	main.SetConnMaxLifetime(connectionLifetime)
	reader := stdlib.OpenDB(*config.ConnConfig.Copy())
	reader.SetMaxOpenConns(readerConnections)
	reader.SetMaxIdleConns(readerConnections)
	reader.SetConnMaxLifetime(connectionLifetime)

	// River takes its LISTEN connection out of this pool for good.
	config.MinConns, config.MaxConns = 0, 1
	listener, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, fmt.Errorf("open Postgres: %w", err)
	}
	return &DB{
		Dialect: Postgres, Main: main, Reader: reader,
		listener: listener, newDriver: postgresDriver(main, listener),
	}, nil
}
