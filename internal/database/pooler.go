package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// heardWithin is how long a notification may take to come back. Behind some
	// poolers it never does.
	heardWithin = 3 * time.Second
	// lookForPooler bounds the whole look.
	lookForPooler = 15 * time.Second
)

// errStatementPooler says that there are no transactions.
var errStatementPooler = errors.New("the pooler in DATABASE_URL lends connections for one statement at a time, and polar-bridge needs transactions: " +
	"set its pool_mode to transaction or session, or name the server itself")

// transactionPooler reports whether a pooler in between lends the server's connections
// for one transaction at a time, and whether notifications arrive: not every engine sends
// them. There is no pooler where the server tells the process id of its own backend: one
// that answers requests to cancel tells another.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
func transactionPooler(ctx context.Context, config *pgx.ConnConfig) (pooled, notified bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookForPooler)
	defer cancel()
	config = config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // which every pooler knows
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, false, fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var backend uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return false, false, fmt.Errorf("look for a pooler: %w", err)
	}
	if backend == conn.PgConn().PID() {
		notified, err = hearsItself(ctx, conn)
		return false, notified, err
	}
	pooled, err = sharesBackend(ctx, conn, config, backend)
	return pooled, !pooled, err
}

// hearsItself reports whether a connection is told what it notifies itself of: engines
// without LISTEN refuse it, or ignore it as YugabyteDB does unless it is turned on.
// https://docs.yugabyte.com/stable/api/ysql/the-sql-language/statements/cmd_listen_notify/
func hearsItself(ctx context.Context, conn *pgx.Conn) (bool, error) {
	channel := channelName()
	if _, err := conn.Exec(ctx, "LISTEN "+channel+"; NOTIFY "+channel); err != nil {
		refused, err := noListen(err)
		return !refused && err == nil, err
	}
	return hears(ctx, conn, channel)
}

func channelName() string { return "polar_bridge_" + strings.ToLower(rand.Text()) }

// sharesBackend reports whether a pooler lends the server's connections for one
// transaction at a time, as PgBouncer does with pool_mode=transaction: two open
// connections then have the same backend, or what one of them listens for is never heard.
func sharesBackend(ctx context.Context, listener *pgx.Conn, config *pgx.ConnConfig, first uint32) (pooled bool, err error) {
	channel := channelName()
	if _, err := listener.Exec(ctx, "LISTEN "+channel); err != nil {
		return noListen(err)
	}
	second, err := notify(ctx, config, channel)
	if err != nil || second == first {
		return second == first, err
	}
	heard, err := hears(ctx, listener, channel)
	return !heard && err == nil, err
}

// hears waits for a notification. A pooler gives us those of others, too.
func hears(ctx context.Context, listener *pgx.Conn, channel string) (bool, error) {
	bounded, cancel := context.WithTimeout(ctx, heardWithin)
	defer cancel()
	for {
		switch heard, err := listener.WaitForNotification(bounded); {
		case err == nil && heard.Channel == channel:
			return true, nil
		case err == nil:
		case bounded.Err() != nil && ctx.Err() == nil:
			return false, nil
		default:
			return false, fmt.Errorf("look for a pooler: %w", err)
		}
	}
}

// notify sends a notification from a connection of its own and returns whose
// backend that had meanwhile.
func notify(ctx context.Context, config *pgx.ConnConfig, channel string) (backend uint32, err error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	tx, err := conn.Begin(ctx)
	if err != nil {
		if server := (*pgconn.PgError)(nil); errors.As(err, &server) && strings.Contains(server.Message, "statement pooling") {
			return 0, errStatementPooler
		}
		return 0, fmt.Errorf("look for a pooler: %w", err)
	}
	if err := tx.QueryRow(ctx, "SELECT pg_backend_pid() FROM pg_notify($1, '')", channel).Scan(&backend); err != nil {
		return 0, fmt.Errorf("look for a pooler: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, fmt.Errorf("look for a pooler: %w", err)
	}
	return backend, nil
}

// noListen judges why the server does not let us listen. A standby is no pooler:
// whoever writes hears of it.
func noListen(err error) (refused bool, other error) {
	server := (*pgconn.PgError)(nil)
	if !errors.As(err, &server) {
		return false, fmt.Errorf("look for a pooler: %w", err)
	}
	const readOnly = "25006" // https://www.postgresql.org/docs/current/errcodes-appendix.html
	return server.Code != readOnly, nil
}
