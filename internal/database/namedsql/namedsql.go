// Package namedsql reads SQL statements from files that are part of the program.
//
// A file holds blocks that begin with a line `-- name: NAME`. shared.sql is for
// both kinds of database, sqlite.sql and postgres.sql for one of them. Tables are
// written {schema}.table, because a search path set for a session does not reach
// the next transaction behind a pooler. It must not know what the statements say.
package namedsql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Target is the database that statements are for.
type Target struct {
	Postgres bool
	// Schema holds all tables. On SQLite it is "main".
	Schema string
}

// Load sets the string fields of the struct that into points to, each to the
// statement of its name. A field with the tag `only:"sqlite"` or `only:"postgres"`
// stays empty for the other one. What a field or a file lacks is an error.
func (t Target) Load(files fs.FS, into any) error {
	dialect := "sqlite"
	if t.Postgres {
		dialect = "postgres"
	}
	found := make(map[string]string)
	for _, name := range []string{"shared", dialect} {
		if err := t.read(files, "sql/"+name+".sql", found); err != nil {
			return err
		}
	}
	fields := reflect.ValueOf(into).Elem()
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		if only := field.Tag.Get("only"); only != "" && only != dialect {
			continue
		}
		text, ok := found[field.Name]
		if !ok {
			return fmt.Errorf("there is no SQL statement %s for %s", field.Name, dialect)
		}
		fields.Field(i).SetString(text)
		delete(found, field.Name)
	}
	if len(found) > 0 {
		return fmt.Errorf("SQL statements that nobody uses: %s", slices.Sorted(maps.Keys(found)))
	}
	return nil
}

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each calls read for each row that a statement finds.
func Each(ctx context.Context, from Querier, read func(row *sql.Rows) error, statement string, args ...any) (err error) {
	rows, err := from.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t Target) read(files fs.FS, name string, into map[string]string) error {
	content, err := fs.ReadFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read SQL statements: %w", err)
	}
	current := ""
	for line := range strings.Lines(string(content)) {
		if title, begins := strings.CutPrefix(line, "-- name: "); begins {
			current = strings.TrimSpace(title)
			if _, twice := into[current]; twice {
				return fmt.Errorf("%s has a second SQL statement %s", name, current)
			}
			into[current] = ""
		} else if !strings.HasPrefix(line, "--") && current != "" {
			into[current] += line
		}
	}
	for title, text := range into {
		into[title] = strings.TrimSpace(strings.ReplaceAll(text, "{schema}", t.Schema))
	}
	return nil
}
