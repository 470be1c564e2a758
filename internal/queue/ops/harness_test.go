package ops_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// session is an operator at a database that no server works, with the log of what
// was done.
type session struct {
	*ops.Operator

	db   *database.DB
	logs *observer.ObservedLogs
}

func operator(t testing.TB, db *database.DB) *session {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	bindings, err := binding.NewStore(db.Main, db.SQL)
	require.NoError(t, err)
	store, err := queue.NewStore(db.Driver(), db.SQL, []byte("key"), func() int64 { return binding.First }, zap.NewNop())
	require.NoError(t, err)
	o, err := ops.New(ops.Options{
		Store: store, Bindings: bindings, SQL: db.SQL, DB: db.Main, Reader: db.Reader, Logger: zap.New(core),
		LogID: queue.LogID(queue.LogPlain, []byte("key")), Now: time.Now, By: "cli:alice",
	})
	require.NoError(t, err)
	return &session{o, db, logs}
}

// list returns the chosen deletions.
func (s *session) list(t testing.TB, f ops.Filter) []queue.Record {
	t.Helper()
	var all []queue.Record
	for r, err := range s.List(t.Context(), f) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// only returns the one deletion of the event.
func (s *session) only(t testing.TB, eventID string) queue.Record {
	t.Helper()
	for _, r := range s.list(t, ops.Filter{}) {
		if r.EventID == eventID {
			found, err := s.Find(t.Context(), r.ID)
			require.NoError(t, err)
			return found
		}
	}
	require.FailNow(t, "no such deletion", eventID)
	return queue.Record{}
}

// accept stores deletions that wait, and those that are unusable.
func (s *session) accept(t testing.TB, deletions ...deletion.Deletion) {
	t.Helper()
	_, err := s.Acceptor(false).Accept(t.Context(), deletions)
	require.NoError(t, err)
	s.logs.TakeAll()
}

// set changes columns of the event's row; in values, $1 is the event.
func (s *session) set(t testing.TB, eventID, columns string, values ...any) {
	t.Helper()
	_, err := s.db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET "+columns+" WHERE event_id = $1", append([]any{eventID}, values...)...)
	require.NoError(t, err)
}

// hold holds the event's row, as an attempt that found the customer does.
func (s *session) hold(t testing.TB, eventID string, reason deletion.HoldReason) queue.Record {
	t.Helper()
	s.set(t, eventID, "state = 'held', hold_reason = $2, held_at = $3, job_id = 0, customer_id = 'c1'", string(reason), queue.Micros(time.Now()))
	return s.only(t, eventID)
}

// finish ends the event's row as deleted.
func (s *session) finish(t testing.TB, eventID string, at time.Time) queue.Record {
	t.Helper()
	s.set(t, eventID, `state = 'done', outcome = 'deleted', confirmed_by = 'answer', job_id = 0, attempts = 1, sent_at = $2, decided_at = $2, finished_at = $2`, queue.Micros(at))
	return s.only(t, eventID)
}

// jobs counts the live jobs of a row's present generation.
func (s *session) jobs(t testing.TB, eventID string) (n int) {
	t.Helper()
	arguments := "args ->> '$.deletion_id'"
	generation := "args ->> '$.generation'"
	if s.db.Dialect == database.Postgres {
		arguments, generation = "(args ->> 'deletion_id')::bigint", "(args ->> 'generation')::bigint"
	}
	r := s.only(t, eventID)
	require.NoError(t, s.db.Main.QueryRowContext(t.Context(),
		"SELECT count(*) FROM river_job WHERE state IN ('available', 'scheduled') AND "+arguments+" = $1 AND "+generation+" = $2", r.ID, r.Generation).Scan(&n))
	return n
}

// fill stores n deletions that are held for the reason, without jobs.
func fill(t testing.TB, db *database.DB, n int, reason deletion.HoldReason) {
	t.Helper()
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, hold_reason, held_at)
		SELECT '%[2]s' || i, 'clerk', '%[2]s' || i, FALSE, '', 'webhook', '', 'u' || i, 'u' || i, '', %[3]d, %[3]d, 'held', '%[2]s', %[3]d FROM n`,
		n, reason, queue.Micros(time.Now())))
	require.NoError(t, err)
}

func newDeletion(eventID, externalID string) deletion.Deletion {
	return deletion.Deletion{
		Provider: "clerk", EventID: eventID, UserID: externalID, ExternalID: externalID,
		OccurredAt: time.Now(), ReceivedAt: time.Now(),
	}
}

func unusable(eventID string) deletion.Deletion {
	return deletion.Deletion{Provider: "clerk", EventID: eventID, UnusableID: `"../x"`, OccurredAt: time.Now(), ReceivedAt: time.Now()}
}

func requireRefused(t testing.TB, err error, because string) {
	t.Helper()
	refusal := (*ops.RefusedError)(nil)
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Sentence, because)
}

// tally counts the words.
func tally[W comparable](words ...W) map[W]int {
	counts := map[W]int{}
	for _, word := range words {
		counts[word]++
	}
	return counts
}
