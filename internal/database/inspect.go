package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"
)

// Inspection is what Inspect saw of a database.
type Inspection struct {
	// Dialect says which kind it is.
	Dialect Dialect
	// File describes a SQLite file; nil on Postgres.
	File *File
	// Version is the database's own version; on Postgres the server says it.
	Version string
	// Schema is nil when the tables are up to date, else ErrNotMigrated,
	// ErrNewerSchema or ErrUnreleasedSchema.
	Schema error
	// ReadOnly says that the server takes no writes, as a standby does.
	ReadOnly bool
	// Pooled says that a transaction pooler is in front of Postgres.
	Pooled bool
	// Notified says that Postgres tells of new work (LISTEN).
	Notified bool
	// Refused is why Postgres does not let this user do what serve does, nil when it
	// does.
	Refused error
	// Shared is why the tables are not this program's alone, so that serve refuses
	// them; nil when they are.
	Shared error
	// Paused says that an operator has paused the queues.
	Paused bool
	// Binding is the Polar that the database belongs to; its zero value is none.
	Binding Binding
	// Instances are the instances of identity providers that were asked so far,
	// by provider.
	Instances map[string]string
	// Durability is what "stored" rests on.
	Durability []Durability
}

// Binding is a Polar: by its organization, or while that is not known by its address.
type Binding struct {
	Organization, Address string
	Since                 time.Time
}

// Durability is one setting of the database that decides whether a commit
// survives a crash.
type Durability struct {
	Name, Value string
	// Safe says that the value is the one that is wanted.
	Safe bool
}

// File describes a SQLite file and the place where it lies.
type File struct {
	// Path is as the operator wrote it.
	Path string
	// Exists says whether it is there; serve makes it when it is not.
	Exists bool
	// Mode has all permission bits that the file or its WAL has.
	Mode fs.FileMode
	// Unwritable is why this user cannot write the file or its folder, nil
	// when that is possible.
	Unwritable error
	// Temporary is why SQLite cannot write temporary files in the file's folder,
	// nil when it can, or when that could not be tried.
	Temporary error
	// Free is how many bytes are left on the file system, and FreeKnown
	// whether that could be found out.
	Free      uint64
	FreeKnown bool
}

// Inspect looks at the database that url names and changes nothing in it: no
// database or table is made, and the server's lock is not taken, so it may run
// beside a server. An error says why the database does not answer; the
// Inspection has what is known nevertheless. No error contains the url.
func Inspect(ctx context.Context, url, schema string) (Inspection, error) {
	switch scheme, rest, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		return inspectSQLite(ctx, rest)
	case "postgres", "postgresql":
		return inspectPostgres(ctx, url, schema)
	}
	return Inspection{}, errNoScheme
}

func inspectSQLite(ctx context.Context, rest string) (seen Inspection, err error) {
	seen = Inspection{Dialect: SQLite}
	path, err := sqlitePath(rest)
	if err != nil {
		return seen, err
	}
	file, err := inspectFile(ctx, path)
	if seen.File = &file; err != nil || !file.Exists {
		return seen, err
	}
	handle, err := sql.Open("sqlite", readOnlyDSN(path))
	if err != nil {
		return seen, fmt.Errorf("open SQLite file: %w", err)
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	handle.SetMaxOpenConns(1)
	if err := handle.QueryRowContext(ctx, "SELECT sqlite_version() FROM (SELECT count(*) FROM sqlite_master)").Scan(&seen.Version); err != nil {
		return seen, fmt.Errorf("open SQLite file %s: %w", path, err)
	}
	db := &DB{Dialect: SQLite, Main: handle, Reader: handle, path: path}
	if err := db.use(sqliteTarget()); err != nil {
		return seen, err
	}
	// A file that serve has not opened yet is switched to WAL then.
	if err := db.durability(ctx, &seen, "PRAGMA journal_mode", "wal"); err != nil {
		return seen, err
	}
	return seen, db.inspectTables(ctx, &seen)
}

// readOnlyDSN opens a file that must exist and never writes to it. SQLite makes
// the WAL and its index beside it, which readers need too, when they are
// missing, with the file's owner and mode; the next writer removes them.
func readOnlyDSN(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro&_pragma=busy_timeout(1500)&_pragma=query_only(1)"
}

func inspectPostgres(ctx context.Context, url, schema string) (seen Inspection, err error) {
	seen = Inspection{Dialect: Postgres}
	db, err := openPostgres(ctx, url, schema)
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	seen.Pooled, seen.Notified = db.Pooled(), db.Notified()
	if err := db.Main.QueryRowContext(ctx, "SHOW server_version").Scan(&seen.Version); err != nil {
		return seen, fmt.Errorf("connect to Postgres, as DATABASE_URL says: %w", err)
	}
	var readOnly string
	if err := db.Main.QueryRowContext(ctx, "SHOW transaction_read_only").Scan(&readOnly); err != nil {
		return seen, fmt.Errorf("read Postgres' settings: %w", err)
	}
	seen.ReadOnly = readOnly == "on"
	if err := db.durability(ctx, &seen, "SHOW fsync", "on"); err != nil {
		return seen, err
	}
	// Only off answers before the commit is on a disk.
	if err := db.durability(ctx, &seen, "SHOW synchronous_commit", "on", "local", "remote_write", "remote_apply"); err != nil {
		return seen, err
	}
	return seen, db.inspectTables(ctx, &seen)
}

// durability notes what a statement like SHOW fsync says.
func (db *DB) durability(ctx context.Context, seen *Inspection, statement string, wanted ...string) error {
	_, name, _ := strings.Cut(statement, " ")
	found := Durability{Name: name}
	if err := db.Main.QueryRowContext(ctx, statement).Scan(&found.Value); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	for _, value := range wanted {
		found.Safe = found.Safe || found.Value == value
	}
	seen.Durability = append(seen.Durability, found)
	return nil
}

// inspectTables says whether the tables are up to date and may be used.
func (db *DB) inspectTables(ctx context.Context, seen *Inspection) error {
	var err error
	if db.Dialect == Postgres {
		if seen.Refused, err = db.refusedToUse(ctx); err != nil || seen.Refused != nil {
			return err
		}
	}
	switch err := db.CheckMigrated(ctx); {
	case errors.Is(err, ErrNotMigrated) && db.Dialect == Postgres:
		seen.Schema = err
		seen.Refused, err = db.refusedToCreate(ctx)
		return err
	case errors.Is(err, ErrNotMigrated), errors.Is(err, ErrNewerSchema), errors.Is(err, ErrUnreleasedSchema):
		seen.Schema = err
		return nil
	case err != nil:
		return err
	}
	if err := db.Main.QueryRowContext(ctx, db.sql.SomePausedQueue).Scan(&seen.Paused); err != nil {
		return fmt.Errorf("read whether the queues are paused: %w", err)
	}
	switch err := db.CheckExclusive(ctx); {
	case errors.Is(err, ErrShared):
		seen.Shared = err
	case err != nil:
		return err
	}
	if err := db.inspectBinding(ctx, seen); err != nil {
		return err
	}
	return db.inspectInstances(ctx, seen)
}

func (db *DB) inspectBinding(ctx context.Context, seen *Inspection) error {
	var since int64
	switch err := db.Main.QueryRowContext(ctx, db.sql.ActiveBinding).Scan(&seen.Binding.Organization, &seen.Binding.Address, &since); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("read which Polar organization the database belongs to: %w", err)
	}
	seen.Binding.Since = time.UnixMicro(since).UTC()
	return nil
}
