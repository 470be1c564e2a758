package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// handle opens a SQLite file beside the program, as another tool would.
func handle(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(path, "?", "%3f")+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// sqliteFile returns the path in a URL of databasetest.
func sqliteFile(url string) string { return strings.TrimPrefix(url, "sqlite:") }

// load delivers events one after the other over several connections until its
// context ends, and remembers how many were acknowledged in a row.
type load struct {
	sent, acknowledged atomic.Int64
	senders            sync.WaitGroup
}

func (l *load) run(ctx context.Context, t *testing.T, p *process, ids []string) {
	t.Helper()
	for range 4 {
		l.senders.Go(func() {
			for ctx.Err() == nil {
				i := int(l.sent.Add(1)) - 1
				if i >= len(ids) {
					return
				}
				d := sign(t, "clerk", fmt.Sprint("msg_", i), ids[i])
				if status, text := p.post(context.WithoutCancel(ctx), http.DefaultClient, d); status != http.StatusAccepted {
					t.Errorf("%d %s", status, text)
					return
				}
				l.acknowledged.Add(1)
			}
		})
	}
}

func TestABackupUnderLoadHasWhatWasAcknowledgedBeforeIt(t *testing.T) {
	t.Parallel()
	for name, backup := range map[string]func(t *testing.T, env *environment, to string){
		"by the command": func(t *testing.T, env *environment, to string) { t.Helper(); env.bridge(t, 0, "backup", to) },
		"by sqlite3": func(t *testing.T, env *environment, to string) {
			t.Helper()
			_, err := handle(t, sqliteFile(env.database)).ExecContext(t.Context(), "VACUUM INTO '"+to+"'")
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testBackupUnderLoad(t, backup)
		})
	}
}

func testBackupUnderLoad(t *testing.T, backup func(t *testing.T, env *environment, to string)) {
	t.Helper()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFault(polartest.Slow(5 * time.Millisecond))
	ids := env.addCustomers(5000)
	p := env.start(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var l load
	l.run(ctx, t, p, ids)
	require.Eventually(t, func() bool { return l.acknowledged.Load() > 300 }, time.Minute, 5*time.Millisecond)

	// Four senders: all but the last four that were sent are acknowledged.
	certain := int(l.acknowledged.Load()) - 4
	copied := filepath.Join(t.TempDir(), "backup.db")
	backup(t, env, copied)
	after := l.acknowledged.Load()
	require.Eventually(t, func() bool { return l.acknowledged.Load() > after+50 }, time.Minute, 5*time.Millisecond, "the server works on")
	stop()
	l.senders.Wait()
	p.kill() // the original is lost

	env.polar.ClearFaults()
	env.settings["DATABASE_URL"] = "sqlite:" + copied
	restored := env.start(t)
	for i := range certain {
		restored.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), ids[i]), http.StatusOK) // known
	}
	env.waitDeleted(t, ids[:certain], time.Minute)
	restored.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
	t.Logf("%d acknowledged before the backup, %d after it", certain, l.acknowledged.Load()-int64(certain))

	// What came after the backup is unknown to it, and taken when it is sent again.
	last := int(l.sent.Load()) - 5
	restored.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", last), ids[last]), http.StatusAccepted)
}

func TestADamagedFileIsRefusedWithTheWayOut(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(300)
	p := env.start(t)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	var l load
	l.run(ctx, t, p, ids)
	l.senders.Wait()
	env.waitDeleted(t, ids, time.Minute)
	require.Zero(t, p.terminate(t))
	whole, err := os.ReadFile(sqliteFile(env.database))
	require.NoError(t, err)
	calls := env.calls()
	t.Cleanup(func() { require.Equal(t, calls, env.calls()) })

	const page = 4096
	middle := len(whole) / 2 / page * page
	for name, damage := range map[string]func([]byte) []byte{
		"header overwritten":  func(b []byte) []byte { return overwrite(b, 0, 100) },
		"schema overwritten":  func(b []byte) []byte { return overwrite(b, 100, page) },
		"middle overwritten":  func(b []byte) []byte { return overwrite(b, middle, middle+4*page) },
		"middle full of zero": func(b []byte) []byte { clear(b[middle : middle+4*page]); return b },
		"end cut off":         func(b []byte) []byte { return b[:middle] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "damaged.db")
			require.NoError(t, os.WriteFile(file, damage(append([]byte(nil), whole...)), 0o600))
			copied := *env
			copied.settings = maps.Clone(env.settings)
			copied.settings["DATABASE_URL"] = "sqlite:" + file
			said := copied.refused(t, "serve")
			require.Contains(t, said, "the SQLite file is damaged; nothing was changed: stop polar-bridge")
			require.Contains(t, said, "restore the last backup")
			require.NotContains(t, said, "panic")
			require.NotContains(t, said, "goroutine")
		})
	}
}

// refused requires that the command does not start and fails, and returns what
// it said.
func (env *environment) refused(t *testing.T, command string) string {
	t.Helper()
	p := env.launch(t, command)
	t.Cleanup(p.kill)
	require.NotContains(t, p.output(), `"msg":"ready"`)
	<-p.exited
	require.Equal(t, 1, p.command.ProcessState.ExitCode(), p.output())
	return p.output()
}

func overwrite(content []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		content[i] = byte(i*7 + 13)
	}
	return content
}

func TestAWALWhoseDatabaseIsGoneIsNotThrownAway(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFault(polartest.Gateway(503))
	env.addCustomers(1)
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", "user_0000"), http.StatusAccepted)
	p.kill()
	away := filepath.Join(t.TempDir(), "away.db")
	require.NoError(t, os.Rename(sqliteFile(env.database), away))

	require.Contains(t, env.refused(t, "serve"), "put the database back where it was")

	require.NoError(t, os.Rename(away, sqliteFile(env.database)))
	env.polar.ClearFaults()
	env.start(t)
	env.waitDeleted(t, []string{"user_0000"}, time.Minute)
}
