package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// database is a place to store deletions.
type database struct {
	name string
	// url makes an empty one, and drop removes it.
	url func(ctx context.Context, o options) (url string, drop func() error, err error)
}

// sqliteName is the name of the database that is a file.
const sqliteName = "SQLite"

func sqliteURL(_ context.Context, o options) (string, func() error, error) {
	dir, err := os.MkdirTemp(o.dir, "sqlite-")
	return "sqlite:" + filepath.Join(dir, "bench.db"), func() error { return os.RemoveAll(dir) }, err
}

func postgresURL(server string) func(ctx context.Context, o options) (string, func() error, error) {
	return func(ctx context.Context, _ options) (string, func() error, error) {
		name := fmt.Sprint("bench_", time.Now().UnixNano())
		execute := func(statement string) error {
			admin, err := sql.Open("pgx", server)
			if err != nil {
				return err
			}
			_, err = admin.ExecContext(ctx, statement)
			return errors.Join(err, admin.Close())
		}
		address, err := url.Parse(server)
		if err != nil {
			return "", nil, err
		}
		address.Path = "/" + name
		drop := func() error { return execute("DROP DATABASE " + name + " WITH (FORCE)") }
		return address.String(), drop, execute("CREATE DATABASE " + name)
	}
}

// fill stores n waiting deletions in the database that the candidate's
// settings name.
func (d *database) fill(ctx context.Context, env []string, n int) error {
	address, _ := strings.CutPrefix(env[len(env)-1], "DATABASE_URL=")
	driver, source := "pgx", address
	path, sqlite := strings.CutPrefix(address, "sqlite:")
	if sqlite {
		driver, source = "sqlite", "file:"+path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	return errors.Join(databasetest.FillWaiting(ctx, db, sqlite, n), db.Close())
}
