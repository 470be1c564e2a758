package queue_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// withoutLookups is an environment with the deletion e1 of a customer u1 whom Polar
// never looks up.
func withoutLookups(t *testing.T, db *database.DB) *environment {
	t.Helper()
	e := newEnvironment(t, db)
	e.customer("u1")
	e.breakLookups()
	e.accept(t, newDeletion("e1", "u1"))
	return e
}

// breakLookups makes Polar fail to look u1 up, whatever else it does.
func (e *environment) breakLookups() {
	e.polar.SetFaultFunc(func(entry polartest.Entry) polartest.Fault {
		if entry.Operation == polartest.OperationGet && entry.ExternalID == "u1" {
			return polartest.InternalError()
		}
		return polartest.Fault{}
	})
}

// failFor works e1, each time when it is due, until it has been tried for
// that long or somebody must decide.
func (e *environment) failFor(t *testing.T, long time.Duration) (tried time.Duration) {
	t.Helper()
	for tried < long && e.row(t, "e1").State == deletion.StateWaiting {
		wait := max(e.work(t, "e1"), 0)
		e.clock.step(wait)
		tried += wait
	}
	return tried
}

func TestALookupThatAlwaysFails(t *testing.T) {
	t.Parallel()
	t.Run("is held after a day of being tried, while nobody else waits", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			e := withoutLookups(t, db)
			e.customer("u2")
			e.accept(t, newDeletion("e2", "u2"))
			e.failFor(t, 10*time.Minute)
			waits := e.row(t, "e1")
			require.Equal(t, "lookup_failed", waits.Result)
			require.Positive(t, waits.LookupFailingSeconds)
			require.Equal(t, "lookup_failed", e.logs.FilterMessage("deletion retried").All()[waits.Failures-1].ContextMap()["reason"])
			require.Equal(t, complete, e.work(t, "e2"), "Polar works, and nothing is paused")

			tried := e.failFor(t, 7*24*time.Hour)
			held := e.row(t, "e1")
			require.Equal(t, deletion.HoldExhausted, held.HoldReason)
			require.InDelta(t, 24, tried.Hours(), 3)
			require.Equal(t, "exhausted by the lookup", held.Remedy().Cause())
			require.True(t, e.polar.Exists("u1"))
		})
	})
	t.Run("goes on once that is approved", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			e := withoutLookups(t, db)
			e.failFor(t, 48*time.Hour)
			require.NoError(t, e.operator.Approve(t.Context(), e.row(t, "e1").ID, ""))
			require.Equal(t, complete, e.work(t, "e1"))
			done := e.row(t, "e1")
			require.Equal(t, deletion.OutcomeDeleted, done.Outcome)
			require.NotZero(t, done.countedAt, "it takes a place in the hour")
			require.Zero(t, done.LookupFailingSeconds)
			require.Equal(t, 1, e.polar.Deleted("u1"))
			require.Equal(t, true, e.line(t, "deletion finished")["guards_blind"])
		})
	})
	t.Run("is looked up again for a day once it is retried, whatever was approved", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			e := withoutLookups(t, db)
			e.failFor(t, 48*time.Hour)
			id := e.row(t, "e1").ID
			require.NoError(t, e.operator.Approve(t.Context(), id, ""))
			e.polar.SetFault(polartest.InternalError())
			e.set(t, "failing_for", queue.GiveUpAfter.Microseconds())
			e.work(t, "e1")
			held := e.row(t, "e1")
			require.Equal(t, "exhausted", held.Remedy().Cause(), "by the DELETE this time")
			requireRefused(t, e.operator.Approve(t.Context(), id, ""), "remove the cause")

			e.breakLookups()
			require.NoError(t, e.operator.Retry(t.Context(), id))
			tried := e.failFor(t, 48*time.Hour)
			held = e.row(t, "e1")
			require.Equal(t, "exhausted by the lookup", held.Remedy().Cause())
			require.InDelta(t, 24, tried.Hours(), 3)
			require.True(t, e.polar.Exists("u1"))
		})
	})
	t.Run("has a day again after one that succeeded, and not after an outage", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			e := withoutLookups(t, db)
			e.failFor(t, 12*time.Hour)
			before := e.row(t, "e1").LookupFailingSeconds
			require.Positive(t, before)

			e.polar.SetFault(polartest.InternalError())
			e.work(t, "e1")
			require.Equal(t, "server_error", e.row(t, "e1").Result)
			require.Equal(t, before, e.row(t, "e1").LookupFailingSeconds)

			e.polar.ClearFaults()
			e.breakDeletes(polartest.InternalError())
			e.work(t, "e1")
			require.Equal(t, "server_error", e.row(t, "e1").Result)
			require.Zero(t, e.row(t, "e1").LookupFailingSeconds)
		})
	})
}

func TestEightDaysBehindARefusedTokenAndASingle503EndInTheDeletion(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(e *environment){
		"to the lookup": func(e *environment) { e.polar.SetFault(polartest.Gateway(http.StatusServiceUnavailable)) },
		"to the DELETE": func(e *environment) { e.breakDeletes(polartest.Gateway(http.StatusServiceUnavailable)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				e := newEnvironment(t, db)
				e.customer("u1")
				e.polar.SetFault(polartest.Status(http.StatusUnauthorized, "application/json", `{"error":"invalid_token"}`))
				e.accept(t, newDeletion("e1", "u1"))
				for end := e.now().Add(8 * 24 * time.Hour); e.now().Before(end); e.clock.step(time.Hour) {
					require.Positive(t, e.work(t, "e1"))
				}
				require.Greater(t, e.polar.Calls(), 100, "the token was tried all the time")

				fault(e)
				require.Positive(t, e.work(t, "e1"))
				require.Equal(t, deletion.StateWaiting, e.row(t, "e1").State)
				require.EqualValues(t, 1, e.row(t, "e1").Failures)
				e.polar.ClearFaults()
				e.workAll(t)
				require.Equal(t, deletion.OutcomeDeleted, e.row(t, "e1").Outcome)
			})
		})
	}
}
