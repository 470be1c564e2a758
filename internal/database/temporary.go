package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// temporaryFilesIn makes a folder the first one where SQLite puts its temporary
// files: what a statement of many rows needs to undo it, and what a long sort
// does not keep in memory. It is the database's own, the only one that is surely
// there: a read-only container has no /tmp. They have no name there and end with
// the process. SQLite keeps one folder for the whole process.
// https://www.sqlite.org/tempfiles.html#temporary_file_storage_locations
func temporaryFilesIn(folder string) (pragma string) {
	return "temp_store_directory('" + strings.ReplaceAll(folder, "'", "''") + "')"
}

// writeTemporaryFile returns why SQLite cannot write temporary files in the
// folder: what it sorts is more than it keeps in memory, the cache or 250 pages.
// https://www.sqlite.org/c3ref/c_config_covering_index_scan.html#sqliteconfigpmasz
func writeTemporaryFile(ctx context.Context, folder string) (err error) {
	sorter, err := sql.Open("sqlite", "file::memory:?_pragma="+url.QueryEscape(temporaryFilesIn(folder))+"&_pragma=page_size(512)&_pragma=cache_size(8)")
	if err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	defer func() { err = errors.Join(err, sorter.Close()) }()
	const tooMuch = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
		SELECT length(b) FROM (SELECT printf('%8000d', i) AS b FROM n) ORDER BY b DESC`
	var length int
	if err := sorter.QueryRowContext(ctx, tooMuch).Scan(&length); err != nil {
		return fmt.Errorf("SQLite cannot write temporary files in %s, as large batches and long lists need: "+
			"make the folder writable for the user who runs serve, and leave some megabytes free: %w", folder, err)
	}
	return nil
}
