package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
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

// transactionPooler reports whether main is behind a pooler that lends the server's
// connections for one transaction at a time, and whether notifications arrive.
// Without any pooler that costs no connection.
func transactionPooler(ctx context.Context, main *sql.DB, config *pgx.ConnConfig) (pooled, notified bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookForPooler)
	defer cancel()
	direct, notified, err := isDirect(ctx, main)
	if err != nil || direct {
		return false, notified, err
	}
	pooled, err = behindPooler(ctx, config)
	return pooled, !pooled, err
}

// isDirect reports whether there is no pooler in between: one that answers requests
// to cancel tells a process id of its own, and the server that of the backend. Then
// it says whether notifications arrive as well: not every engine sends them.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
func isDirect(ctx context.Context, main *sql.DB) (direct, notified bool, err error) {
	conn, err := main.Conn(ctx)
	if err != nil {
		return false, false, fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }() // back into the pool
	err = conn.Raw(func(driver any) error {
		own, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection is a %T", driver)
		}
		var backend uint32
		// Every pooler knows the simple protocol.
		row := own.Conn().QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol)
		if err := row.Scan(&backend); err != nil {
			return err
		}
		if direct = backend == own.Conn().PgConn().PID(); direct {
			notified, err = hearsItself(ctx, own.Conn())
		}
		return err
	})
	if err != nil {
		return false, false, fmt.Errorf("look for a pooler: %w", err)
	}
	return direct, notified, nil
}

// hearsItself reports whether a connection is told what it notifies itself of: engines
// without LISTEN refuse it, or ignore it as YugabyteDB does unless it is turned on.
// https://docs.yugabyte.com/stable/api/ysql/the-sql-language/statements/cmd_listen_notify/
func hearsItself(ctx context.Context, conn *pgx.Conn) (bool, error) {
	channel := channelName()
	if _, err := conn.Exec(ctx, "LISTEN "+channel+"; NOTIFY "+channel, pgx.QueryExecModeSimpleProtocol); err != nil {
		refused, err := noListen(err)
		return !refused && err == nil, err
	}
	return hears(ctx, conn, channel)
}

func channelName() string { return "polar_bridge_" + strings.ToLower(rand.Text()) }

// behindPooler reports whether there is a pooler in between that lends the
// server's connections for one transaction at a time, as PgBouncer does with
// pool_mode=transaction: two open connections then have the same backend, or
// what one of them listens for is never heard.
func behindPooler(ctx context.Context, config *pgx.ConnConfig) (pooled bool, err error) {
	config = config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // which every pooler knows
	listener, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	defer func() { err = errors.Join(err, listener.Close(context.WithoutCancel(ctx))) }()
	channel := channelName()
	var first int
	if err := listener.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&first); err != nil {
		return false, fmt.Errorf("look for a pooler: %w", err)
	}
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
func notify(ctx context.Context, config *pgx.ConnConfig, channel string) (backend int, err error) {
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
