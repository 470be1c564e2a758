package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Backup writes a copy of the SQLite file that address names, as it is at this moment, to a
// file that must not exist. It runs beside a server and changes nothing in its file.
// The copy is checked and on disk when Backup returns; after an error there is none. On
// Postgres the error says what to use. https://www.sqlite.org/lang_vacuum.html#vacuuminto
func Backup(ctx context.Context, address, to string) (err error) {
	scheme, rest, _ := strings.Cut(address, ":")
	if scheme == "postgres" || scheme == "postgresql" {
		return errors.New("PostgreSQL has tools of its own: pg_dump --format=custom --schema=polar_bridge, or the schema of DATABASE_SCHEMA, and your server's continuous backups")
	}
	if scheme != "sqlite" {
		return errNoScheme
	}
	path, err := sqlitePath(rest)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("find SQLite file: %w: set DATABASE_URL to the server's", err)
	}
	from, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return fmt.Errorf("open SQLite file: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	// It holds users' ids. SQLite takes an empty file for none.
	file, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("make the backup: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	if _, err := from.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write the backup to disk: %w", err)
	}
	return integrityCheck(ctx, to, readOnlyDSN(to))
}
