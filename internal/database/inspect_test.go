package database_test

import (
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestInspectMakesNoFile(t *testing.T) {
	t.Parallel()
	address := databasetest.SQLite(t)
	path := strings.TrimPrefix(address, "sqlite:")
	seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.Equal(t, database.SQLite, seen.Dialect)
	require.Equal(t, path, seen.File.Path)
	require.False(t, seen.File.Exists)
	require.True(t, seen.File.FreeKnown)
	require.Positive(t, seen.File.Free)
	require.NoError(t, seen.File.Unwritable)
	found, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestInspectMakesNoTable(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, address string) {
		if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		}
		seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
		require.NoError(t, err)
		require.ErrorIs(t, seen.Schema, database.ErrNotMigrated)
		require.Empty(t, tables(t, address))
	})
}

func TestInspectJudgesTablesAsTheServerDoes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		statement string
		want      error
	}{
		"up to date":           {"SELECT 1", nil},
		"our last one missing": {"DELETE FROM polar_bridge_migrations WHERE version_id = (SELECT max(version_id) FROM polar_bridge_migrations)", database.ErrNotMigrated},
		"river's last missing": {"DELETE FROM river_migration WHERE version = (SELECT max(version) FROM river_migration)", database.ErrNotMigrated},
		"ours newer":           {"INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (99999, true)", database.ErrNewerSchema},
		"river's newer":        {"INSERT INTO river_migration (line, version) VALUES ('main', 99999)", database.ErrNewerSchema},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.EachURL(t, func(t *testing.T, address string) {
				db := databasetest.OpenMigrated(t, address)
				_, err := db.Main.ExecContext(t.Context(), tt.statement)
				require.NoError(t, err)
				seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
				require.NoError(t, err)
				require.NotEmpty(t, seen.Version)
				require.ErrorIs(t, seen.Schema, tt.want)
				require.ErrorIs(t, db.CheckMigrated(t.Context()), tt.want)
			})
		})
	}
}

func TestInspectDisturbsNoServer(t *testing.T) {
	t.Parallel()
	address := databasetest.SQLite(t)
	server := databasetest.OpenMigrated(t, address)
	require.NoError(t, server.Lock(t.Context()))
	writing, err := server.Main.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = writing.ExecContext(t.Context(), "INSERT INTO polar_bridge_settings (name, value) VALUES ('a', 'b')")
	require.NoError(t, err)

	seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.NoError(t, seen.Schema)
	require.Equal(t, []database.Durability{{Name: "journal_mode", Value: "wal", Safe: true}}, seen.Durability)
	require.NoError(t, writing.Commit())
}

func TestInspectTakesNoLock(t *testing.T) {
	t.Parallel()
	address := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, address)
	_, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.NoFileExists(t, strings.TrimPrefix(address, "sqlite:")+".lock")
	require.NoError(t, db.Lock(t.Context()))
}

func TestInspectLeavesACrashedServersFilesAsTheyAre(t *testing.T) {
	t.Parallel()
	alive := strings.TrimPrefix(databasetest.SQLite(t), "sqlite:")
	databasetest.OpenMigrated(t, "sqlite:"+alive)
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	content := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		bytes, err := os.ReadFile(alive + suffix)
		require.NoError(t, err)
		require.NotEmpty(t, bytes, "the tables are still in the WAL")
		require.NoError(t, os.WriteFile(crashed+suffix, bytes, 0o600))
		content[suffix] = bytes
	}
	seen, err := database.Inspect(t.Context(), "sqlite:"+crashed, database.DefaultSchema)
	require.NoError(t, err)
	require.NoError(t, seen.Schema, "the log was read")
	for suffix, want := range content {
		got, err := os.ReadFile(crashed + suffix)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q was changed", suffix)
	}
}

func TestInspectSeesTheFile(t *testing.T) {
	t.Parallel()
	address := databasetest.SQLite(t)
	path := strings.TrimPrefix(address, "sqlite:")
	databasetest.OpenMigrated(t, address)
	seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.True(t, seen.File.Exists)
	require.Equal(t, os.FileMode(0o600), seen.File.Mode)

	require.NoError(t, os.Chmod(path+"-wal", 0o644))
	seen, err = database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), seen.File.Mode, "the log has users' ids too")
}

func TestInspectLeavesTheJournalModeAlone(t *testing.T) {
	t.Parallel()
	address := databasetest.SQLite(t)
	handle, err := sql.Open("sqlite", "file:"+(&url.URL{Path: strings.TrimPrefix(address, "sqlite:")}).EscapedPath())
	require.NoError(t, err)
	defer func() { require.NoError(t, handle.Close()) }()
	_, err = handle.ExecContext(t.Context(), "CREATE TABLE other (a)")
	require.NoError(t, err)
	for range 2 {
		seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
		require.NoError(t, err)
		require.Equal(t, []database.Durability{{Name: "journal_mode", Value: "delete"}}, seen.Durability)
	}
}

func TestInspectSeesWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 { // who writes everywhere
		runAsNobody(t)
		return
	}
	address := databasetest.SQLite(t)
	path := strings.TrimPrefix(address, "sqlite:")
	databasetest.OpenMigrated(t, address)
	require.NoError(t, os.Chmod(path, 0o400))
	seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.ErrorIs(t, seen.File.Unwritable, os.ErrPermission)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o500))
	seen, err = database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o700))
	require.NoError(t, err)
	require.ErrorIs(t, seen.File.Unwritable, os.ErrPermission)
}

// runAsNobody runs the test as a user without rights, in a folder of its own.
func runAsNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "polar-bridge-nobody-") //nolint:usetesting // t.TempDir lies in a folder that only root may enter
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chown(dir, nobody, nobody))
	// This name leads past the folders of the test's binary, which are root's alone.
	command := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.short")
	command.Dir, command.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
}

func TestInspectSeesPostgresSettings(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	seen, err := database.Inspect(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	require.Nil(t, seen.File)
	require.False(t, seen.ReadOnly)
	require.Len(t, seen.Durability, 2)
	require.Equal(t, "fsync", seen.Durability[0].Name)
	require.Equal(t, seen.Durability[0].Value == "on", seen.Durability[0].Safe)
	require.Equal(t, database.Durability{Name: "synchronous_commit", Value: "on", Safe: true}, seen.Durability[1])

	changed, err := url.Parse(address)
	require.NoError(t, err)
	query := changed.Query()
	query.Set("synchronous_commit", "off")
	query.Set("default_transaction_read_only", "on")
	changed.RawQuery = query.Encode()
	seen, err = database.Inspect(t.Context(), changed.String(), database.DefaultSchema)
	require.NoError(t, err)
	require.True(t, seen.ReadOnly)
	require.Equal(t, database.Durability{Name: "synchronous_commit", Value: "off"}, seen.Durability[1])
}

func TestInspectSaysWhatIsUnusable(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(notes, []byte(strings.Repeat("this is not a database. ", 500)), 0o600))
	for address, want := range map[string]string{
		"":                                     "must begin with sqlite:",
		"mysql://u:marker-secret@h/d":          "must begin with sqlite:",
		"sqlite:":                              "needs a file",
		"sqlite::memory:":                      "needs a file",
		"sqlite:/does/not/exist/bridge.db":     "no such file or directory",
		"sqlite:" + notes:                      "not a database",
		"sqlite:" + notes + "/a.db":            "not a",
		"sqlite:" + filepath.Dir(notes):        "not a regular file",
		"postgres://u:marker-secret@h:p/%":     "cannot be parsed",
		"postgres://u:marker-secret@[::1]:1/d": "connection refused",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			_, err := database.Inspect(t.Context(), address, database.DefaultSchema)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "marker-secret")
		})
	}
}

// tables lists what is in the database.
func tables(t *testing.T, address string) []string {
	t.Helper()
	db, err := database.Open(t.Context(), address, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	query := "SELECT name FROM sqlite_master"
	if db.Dialect == database.Postgres {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	rows, err := db.Reader.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var names []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	return names
}
