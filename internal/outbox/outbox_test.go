package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/outbox"
	"github.com/polar-bridge/polar-bridge/metrics"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func now() time.Time { return time.Now() }

// queue stores in memory, and may fail.
type queue struct {
	mutex  sync.Mutex
	stored map[string]deletion.Deletion // by event id
	times  map[string]int
	before func() error // runs before anything is stored
	after  func()       // runs afterwards
}

// Accept implements outbox.Acceptor.
func (q *queue) Accept(_ context.Context, deletions []deletion.Deletion) (deletion.Receipt, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.before != nil {
		if err := q.before(); err != nil {
			return deletion.Receipt{}, err
		}
	}
	var r deletion.Receipt
	for _, d := range deletions {
		if _, known := q.stored[d.EventID]; known {
			r.Duplicates++
		} else {
			r.Accepted++
		}
		q.stored[d.EventID] = d
		q.times[d.EventID]++
	}
	if q.after != nil {
		q.after()
	}
	return r, nil
}

// users are the external ids that were stored.
func (q *queue) users() (all []string) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, d := range q.stored {
		all = append(all, d.ExternalID)
	}
	return all
}

type environment struct {
	*outbox.Reader

	admin    *sql.DB
	address  url.URL // as the role of `outbox sql`
	queue    *queue
	registry *prometheus.Registry
	logs     *observer.ObservedLogs
}

// newEnvironment is Better Auth's database with the printed SQL, and a reader of it.
func newEnvironment(t *testing.T) *environment {
	t.Helper()
	return newEnvironmentAt(t, databasetest.Postgres(t), nil)
}

func newEnvironmentAt(t *testing.T, address string, pinned *directory.PinnedInstance) *environment {
	t.Helper()
	admin, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	parsed.User = url.User("polar_bridge")
	e := &environment{admin: admin, address: *parsed, queue: &queue{stored: map[string]deletion.Deletion{}, times: map[string]int{}}}
	e.run(t, "DO $$ BEGIN CREATE ROLE polar_bridge LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
	e.run(t, `CREATE TABLE public."user" (id text PRIMARY KEY)`)
	text, err := authdatabase.Installation{Users: betterAuth(t)}.InstallSQL()
	require.NoError(t, err)
	e.run(t, text)
	e.Reader = e.reader(t, pinned)
	return e
}

func betterAuth(t *testing.T) authdatabase.Users {
	t.Helper()
	users, _, err := authdatabase.Parse("better-auth", "")
	require.NoError(t, err)
	return users
}

// reader is one replica's.
func (e *environment) reader(t *testing.T, pinned *directory.PinnedInstance) *outbox.Reader {
	t.Helper()
	db, err := database.Connect(e.address.String(), 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	auth, err := authdatabase.New(db, betterAuth(t))
	require.NoError(t, err)
	core, logs := observer.New(zapcore.InfoLevel)
	e.logs, e.registry = logs, prometheus.NewRegistry()
	return outbox.New(outbox.Options{
		Database: auth, Pinned: pinned, Pattern: regexp.MustCompile("^[^-]"), Acceptor: e.queue, Now: now, Logger: zap.New(core),
		Metrics: metrics.New(e.registry, metrics.Options{Providers: []string{"better-auth"}, Enabled: []string{"better-auth"}}),
	})
}

func (e *environment) run(t *testing.T, text string, args ...any) {
	t.Helper()
	_, err := e.admin.ExecContext(t.Context(), text, args...)
	require.NoError(t, err, text)
}

// deleteUsers deletes so many users in one statement.
func (e *environment) deleteUsers(t *testing.T, n int) {
	t.Helper()
	e.run(t, `INSERT INTO public."user" SELECT 'u' || i FROM generate_series(1, $1::int) AS i`, n)
	e.run(t, `DELETE FROM public."user"`)
}

func (e *environment) left(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, e.admin.QueryRowContext(t.Context(), "SELECT count(*) FROM polar_bridge.outbox").Scan(&n))
	return n
}

// requireBlocked requires that the metric, and the log once, say why nothing is read.
func (e *environment) requireBlocked(t *testing.T, problem metrics.OutboxProblem) {
	t.Helper()
	want := "# HELP polar_bridge_outbox_blocked 1 for the reason why this process does not read the outbox of the auth system's database, else 0; no series without AUTH_DATABASE_OUTBOX.\n# TYPE polar_bridge_outbox_blocked gauge\n"
	for _, p := range metrics.OutboxProblems() {
		value := 0
		if p == problem {
			value = 1
		}
		want += fmt.Sprintf("polar_bridge_outbox_blocked{reason=%q} %d\n", p, value)
	}
	require.NoError(t, testutil.GatherAndCompare(e.registry, strings.NewReader(want), "polar_bridge_outbox_blocked"))
	if problem != "" {
		lines := e.logs.FilterMessage("outbox cannot be read").FilterField(zap.String("reason", string(problem)))
		require.Equal(t, 1, lines.Len())
		require.Equal(t, zapcore.ErrorLevel, lines.All()[0].Level)
	}
}

func TestAReaderStoresWhatTheOutboxHas(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t)
	e.run(t, `INSERT INTO public."user" VALUES ('leaves'), ('stays'), ('-ignored'), ('..')`)
	e.run(t, `DELETE FROM public."user" WHERE id <> 'stays'`)
	tx, err := e.admin.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `DELETE FROM public."user"`)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())

	taken, err := e.Look(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, taken)
	require.Zero(t, e.left(t))
	require.Len(t, e.queue.stored, 2)
	for id, d := range e.queue.stored {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f-]{27}$`, id)
		require.Equal(t, "better-auth", d.Provider)
		require.Equal(t, deletion.SourceOutbox, d.Source)
		require.Contains(t, d.Instance, "@")
		require.WithinDuration(t, time.Now(), d.OccurredAt, time.Minute)
		if d.UnusableID != "" {
			require.Equal(t, [3]string{"", "", `".."`}, [3]string{d.UserID, d.ExternalID, d.UnusableID})
			continue
		}
		require.Equal(t, [2]string{"leaves", "leaves"}, [2]string{d.UserID, d.ExternalID})
	}
	e.requireBlocked(t, "")
}

func TestAReaderDeletesRowsOnlyOnceTheyAreStored(t *testing.T) {
	t.Parallel()
	t.Run("and keeps them while its own database does not take them", func(t *testing.T) {
		t.Parallel()
		e := newEnvironment(t)
		e.deleteUsers(t, 3)
		e.queue.before = func() error { return errors.New("disk full") }
		_, err := e.Look(t.Context())
		require.ErrorContains(t, err, "disk full")
		require.Equal(t, 3, e.left(t))
		e.requireBlocked(t, metrics.OutboxNotStored)
		e.queue.before = nil
		_, err = e.Look(t.Context())
		require.NoError(t, err)
		require.Zero(t, e.left(t))
		e.requireBlocked(t, "")
	})
	t.Run("and takes them again, as the same events, when its connection was lost in between", func(t *testing.T) {
		t.Parallel()
		e := newEnvironment(t)
		e.deleteUsers(t, 3)
		e.queue.after = func() {
			e.run(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'polar_bridge' AND datname = current_database()")
		}
		_, err := e.Look(t.Context())
		require.Error(t, err)
		require.Equal(t, 3, e.left(t))
		e.requireBlocked(t, metrics.OutboxUnavailable)
		e.queue.after = nil
		_, err = e.Look(t.Context())
		require.NoError(t, err)
		require.Zero(t, e.left(t))
		require.Len(t, e.queue.stored, 3)
		for id, times := range e.queue.times {
			require.Equal(t, 2, times, id)
		}
	})
}

func TestAReaderStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		admin, undo string
		problem     metrics.OutboxProblem
	}{
		"when it may not delete rows": {
			"REVOKE EXECUTE ON FUNCTION polar_bridge.done(uuid[]) FROM polar_bridge", "GRANT EXECUTE ON FUNCTION polar_bridge.done(uuid[]) TO polar_bridge", metrics.OutboxRefused,
		},
		"when it may not read rows": {
			"REVOKE EXECUTE ON FUNCTION polar_bridge.take(integer) FROM polar_bridge", "GRANT EXECUTE ON FUNCTION polar_bridge.take(integer) TO polar_bridge", metrics.OutboxRefused,
		},
		"when it may not use the schema": {
			"REVOKE USAGE ON SCHEMA polar_bridge FROM polar_bridge", "GRANT USAGE ON SCHEMA polar_bridge TO polar_bridge", metrics.OutboxRefused,
		},
		"when the functions' owner may not delete rows": {
			"REVOKE DELETE ON polar_bridge.outbox FROM CURRENT_USER; DO $$ BEGIN CREATE ROLE installer; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; " +
				"GRANT USAGE, CREATE ON SCHEMA polar_bridge TO installer; ALTER FUNCTION polar_bridge.done(uuid[]) OWNER TO installer",
			"ALTER FUNCTION polar_bridge.done(uuid[]) OWNER TO CURRENT_USER; REVOKE ALL ON SCHEMA polar_bridge FROM installer", metrics.OutboxRefused,
		},
		"when a function is missing": {
			"ALTER FUNCTION polar_bridge.done(uuid[]) RENAME TO finished", "ALTER FUNCTION polar_bridge.finished(uuid[]) RENAME TO done", metrics.OutboxNotInstalled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvironment(t)
			e.deleteUsers(t, 3)
			e.run(t, test.admin)
			for range 3 {
				_, err := e.Look(t.Context())
				require.Error(t, err)
			}
			require.Empty(t, e.queue.stored, "nothing was read")
			e.requireBlocked(t, test.problem)
			e.run(t, test.undo)
			_, err := e.Look(t.Context())
			require.NoError(t, err)
			require.Zero(t, e.left(t))
			require.Len(t, e.queue.stored, 3)
			require.Equal(t, 1, e.logs.FilterMessage("outbox can be read again").Len())
		})
	}
	t.Run("when the functions are for another table than the settings name", func(t *testing.T) {
		t.Parallel()
		e := newEnvironment(t)
		e.run(t, "CREATE TABLE public.users (id serial PRIMARY KEY)")
		users, _, err := authdatabase.Parse("authjs", "")
		require.NoError(t, err)
		text, err := authdatabase.Installation{Users: users}.InstallSQL()
		require.NoError(t, err)
		e.run(t, text+"; INSERT INTO public.users VALUES (1); DELETE FROM public.users")
		_, err = e.Look(t.Context())
		require.ErrorContains(t, err, "not the one for AUTH_DATABASE_SCHEMA")
		require.Empty(t, e.queue.stored)
		e.requireBlocked(t, metrics.OutboxNotInstalled)
	})
	t.Run("at another database than before", func(t *testing.T) {
		t.Parallel()
		db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
		pinned := &directory.PinnedInstance{Store: db, Provider: "better-auth"}
		first, second := newEnvironmentAt(t, databasetest.Postgres(t), pinned), newEnvironmentAt(t, databasetest.Postgres(t), pinned)
		_, err := first.Look(t.Context())
		require.NoError(t, err)
		second.deleteUsers(t, 1)
		_, err = second.Look(t.Context())
		require.ErrorContains(t, err, "polar-bridge doctor says what to do")
		require.Empty(t, second.queue.stored)
		second.requireBlocked(t, metrics.OutboxWrongDatabase)
	})
}

func TestReadersShareAnOutbox(t *testing.T) {
	t.Parallel()
	const rows = 5_000
	e := newEnvironment(t)
	e.deleteUsers(t, rows)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 3 {
		reader := e.reader(t, nil)
		running.Go(func() { reader.Run(ctx) })
	}
	require.Eventually(t, func() bool { return e.left(t) == 0 }, time.Minute, 10*time.Millisecond)
	stop()
	running.Wait()
	require.Len(t, e.queue.users(), rows, "none is lost")
	for id, times := range e.queue.times {
		require.Equal(t, 1, times, id)
	}
}

func TestAReaderCatchesUpAfterTheDatabaseWasAway(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	e := newEnvironmentAt(t, server.URL(), nil)
	e.deleteUsers(t, 250)
	_, err := e.Look(t.Context())
	require.NoError(t, err)
	server.Stop(t)
	_, err = e.Look(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "127.0.0.1")
	e.requireBlocked(t, metrics.OutboxUnavailable)
	server.Start(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { e.Run(ctx) })
	require.Eventually(t, func() bool { return len(e.queue.users()) == 250 }, time.Minute, 10*time.Millisecond)
	stop()
	running.Wait()
}
