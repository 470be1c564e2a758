package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// backup writes a copy of the database as docs/storage.md says.
func backup(t *testing.T, path string) string {
	t.Helper()
	copied := filepath.Join(filepath.Dir(path), "backup.db")
	_, err := handle(t, path).ExecContext(t.Context(), "VACUUM INTO '"+copied+"'")
	require.NoError(t, err)
	return copied
}

func TestAWebhookThatWouldBeStoredInAFileThatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(t *testing.T, path string){
		"the file is removed": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
		},
		"the file and those beside it are removed": func(t *testing.T, path string) {
			t.Helper()
			for _, suffix := range []string{"", "-wal", "-shm"} {
				require.NoError(t, os.Remove(path+suffix))
			}
		},
		"the WAL is removed": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path+"-wal"))
		},
		"a backup is put in its place": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Rename(backup(t, path), path))
		},
		"its folder is moved": func(t *testing.T, path string) {
			t.Helper()
			folder := filepath.Dir(path)
			require.NoError(t, os.Rename(folder, folder+"-old"))
			require.NoError(t, os.Mkdir(folder, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t))
			p := env.start(t)
			p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)
			require.Equal(t, http.StatusOK, p.get(t, "/readyz"))

			away(t, sqliteFile(env.database))
			status, retryAfter := p.answer(t, sign(t, "clerk", "msg_2", "user_2"))
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.NotEmpty(t, retryAfter)
			require.Equal(t, http.StatusServiceUnavailable, p.get(t, "/readyz"))
			require.Eventually(t, func() bool {
				return regexp.MustCompile(`"level":"error".*was removed or replaced`).MatchString(p.output())
			}, patience, 50*time.Millisecond, p)
			require.Equal(t, http.StatusOK, p.get(t, "/livez"), "a restart is for people to decide")
		})
	}
}

func TestALinkThatIsMadeToLeadToAnotherFileRefusesWebhooks(t *testing.T) {
	t.Parallel()
	database := databasetest.SQLite(t)
	link := filepath.Join(t.TempDir(), "linked.db")
	require.NoError(t, os.Symlink(sqliteFile(database), link))
	env := newEnvironment(t, "sqlite:"+link)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)

	other := backup(t, sqliteFile(database))
	require.NoError(t, os.Remove(link))
	require.NoError(t, os.Symlink(other, link))
	p.deliver(t, sign(t, "clerk", "msg_2", "user_2"), http.StatusServiceUnavailable)
	require.Equal(t, http.StatusServiceUnavailable, p.get(t, "/readyz"))
}

func TestAFileThatIsPutBackIsWrittenAgain(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	path := sqliteFile(env.database)
	require.NoError(t, os.Rename(path, path+".away"))
	p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusServiceUnavailable)
	require.NoError(t, os.Rename(path+".away", path))
	p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusOK) // it went into the file all the same
	require.Equal(t, http.StatusOK, p.get(t, "/readyz"))
	p.kill()
	env.start(t).deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusOK)
}
