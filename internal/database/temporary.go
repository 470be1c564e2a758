package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// temporaryFolder is whether this process has said where SQLite's temporary files
// go. SQLite keeps one folder for the whole process, and replaces the string under
// connections that are reading it: it is said once, before there is another
// connection. https://www.sqlite.org/pragma.html#pragma_temp_store_directory
//
//nolint:gochecknoglobals // the guard of SQLite's own global variable, sqlite3_temp_directory
var temporaryFolder struct {
	sync.Mutex
	said bool
}

// putTemporaryFilesIn makes a folder the first one where SQLite puts its temporary
// files: what a long sort does not keep in memory. It is the database's own, the only one that is surely
// there: a read-only container has no /tmp. They have no name there and end with
// the process. The first folder of a process stays.
// https://www.sqlite.org/tempfiles.html#temporary_file_storage_locations
func putTemporaryFilesIn(ctx context.Context, folder string) (err error) {
	temporaryFolder.Lock()
	defer temporaryFolder.Unlock()
	if temporaryFolder.said {
		return nil
	}
	db, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		return fmt.Errorf("choose the folder for temporary files: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "PRAGMA temp_store_directory = '"+strings.ReplaceAll(folder, "'", "''")+"'"); err != nil {
		return noTemporaryFiles(folder, err)
	}
	temporaryFolder.said = true
	return nil
}

// writeTemporaryFile returns why SQLite cannot write temporary files in the
// folder: what it sorts is more than it keeps in memory, the cache or 250 pages.
// https://www.sqlite.org/c3ref/c_config_covering_index_scan.html#sqliteconfigpmasz
func writeTemporaryFile(ctx context.Context, folder string) (err error) {
	if err := putTemporaryFilesIn(ctx, folder); err != nil {
		return err
	}
	sorter, err := sql.Open("sqlite", "file::memory:?_pragma=page_size(512)&_pragma=cache_size(8)")
	if err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	defer func() { err = errors.Join(err, sorter.Close()) }()
	const tooMuch = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
		SELECT length(b) FROM (SELECT printf('%8000d', i) AS b FROM n) ORDER BY b DESC`
	var length int
	if err := sorter.QueryRowContext(ctx, tooMuch).Scan(&length); err != nil {
		return noTemporaryFiles(folder, err)
	}
	return nil
}

func noTemporaryFiles(folder string, cause error) error {
	return fmt.Errorf("SQLite cannot write temporary files in %s, as long lists need: "+
		"make the folder writable for the user who runs serve, and leave some megabytes free: %w", folder, cause)
}
