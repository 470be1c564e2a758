package queue_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// What Polar did is what the row says, whenever an operator acts.
func TestAnOperatorWhoActsDuringAnAttempt(t *testing.T) {
	t.Parallel()
	for _, at := range points() {
		sent := at == beforeDelete || at == afterDelete
		during := func(t *testing.T, act func(e *environment, id int64), afterwards func(t *testing.T, e *environment)) {
			t.Helper()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				e := newEnvironment(t, db)
				e.customer("u1")
				e.accept(t, newDeletion("e1", "u1"))
				id := e.row(t, "e1").ID
				e.wire.onceAt(at, func() { act(e, id) })
				e.work(t, "e1")
				afterwards(t, e)
			})
		}
		t.Run("cancels "+string(at), func(t *testing.T) {
			t.Parallel()
			during(t, func(e *environment, id int64) {
				earlier, err := e.operator.Cancel(t.Context(), id, "wrong person")
				if sent {
					requireRefused(t, err, "on its way")
				} else {
					require.NoError(t, err)
				}
				require.False(t, earlier)
			}, func(t *testing.T, e *environment) {
				t.Helper()
				r := e.row(t, "e1")
				if sent {
					require.Equal(t, 1, e.polar.Deleted("u1"))
					require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
					return
				}
				require.Equal(t, deletion.StateCancelled, r.State)
				e.work(t, "e1")
				require.Zero(t, e.polar.CallsOf(polartest.OperationDelete), "a cancelled one is never sent")
				require.Zero(t, r.sentAt)
				require.Zero(t, r.Attempts)
			})
		})
		t.Run("retries "+string(at), func(t *testing.T) {
			t.Parallel()
			during(t, func(e *environment, id int64) {
				err := e.operator.Retry(t.Context(), id)
				if sent {
					requireRefused(t, err, "being tried right now")
				} else {
					require.NoError(t, err)
				}
			}, func(t *testing.T, e *environment) {
				t.Helper()
				e.workAll(t)
				require.Equal(t, 1, e.polar.CallsOf(polartest.OperationDelete), "one of the two jobs sends")
				require.Equal(t, deletion.OutcomeDeleted, e.row(t, "e1").Outcome)
				require.EqualValues(t, 1, e.row(t, "e1").Attempts)
			})
		})
		t.Run("approves "+string(at), func(t *testing.T) {
			t.Parallel()
			during(t, func(e *environment, id int64) {
				requireRefused(t, e.operator.Approve(t.Context(), id, ""), "only held deletions")
			}, func(t *testing.T, e *environment) {
				t.Helper()
				r := e.row(t, "e1")
				require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
				require.Empty(t, r.Approved)
			})
		})
		t.Run("pauses "+string(at), func(t *testing.T) {
			t.Parallel()
			during(t, func(e *environment, _ int64) {
				changed, err := e.operator.Pause(t.Context(), "")
				require.NoError(t, err)
				require.True(t, changed)
			}, func(t *testing.T, e *environment) {
				t.Helper()
				require.Equal(t, deletion.OutcomeDeleted, e.row(t, "e1").Outcome, "what is being tried is finished")
				require.Equal(t, 1, e.polar.CallsOf(polartest.OperationDelete))
			})
		})
	}
}

func TestACancelSaysThatAnEarlierRequestMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		e.customer("u1")
		e.accept(t, newDeletion("e1", "u1"))
		e.breakDeletes(polartest.ResetAfterCommit())
		require.Positive(t, e.work(t, "e1"))
		sent, err := e.operator.Cancel(t.Context(), e.row(t, "e1").ID, "asked to stay")
		require.NoError(t, err)
		require.True(t, sent)
		r := e.row(t, "e1")
		require.Equal(t, deletion.StateCancelled, r.State)
		require.NotZero(t, r.sentAt)
		require.Equal(t, complete, e.work(t, "e1"))
		require.Equal(t, 1, e.polar.CallsOf(polartest.OperationDelete))
	})
}

// answers are Polar's, or none, to a DELETE, and whether the customer may be gone
// because of it.
func answers() map[string]struct {
	fault polartest.Fault
	sent  bool
	state deletion.State
} {
	text := "application/json"
	return map[string]struct {
		fault polartest.Fault
		sent  bool
		state deletion.State
	}{
		"429":                            {polartest.RateLimited(30 * time.Second), false, deletion.StateWaiting},
		"401":                            {polartest.Status(401, text, `{"error":"Unauthorized"}`), false, deletion.StateWaiting},
		"403 of the token's scope":       {polartest.Status(403, text, `{"error": "insufficient_scope"}`), false, deletion.StateWaiting},
		"403 of Cloudflare":              {polartest.Cloudflare(1020), false, deletion.StateWaiting},
		"400":                            {polartest.Status(400, text, `{"error":"BadRequest"}`), false, deletion.StateHeld},
		"422":                            {polartest.Status(422, text, `{"error":"RequestValidationError"}`), false, deletion.StateHeld},
		"404 of a route that is missing": {polartest.RouteMissing(), false, deletion.StateWaiting},
		"500":                            {polartest.InternalError(), true, deletion.StateWaiting},
		"502":                            {polartest.Gateway(502), true, deletion.StateWaiting},
		"a timeout":                      {polartest.Hang(), true, deletion.StateWaiting},
		"a reset":                        {polartest.ResetBeforeCommit(), true, deletion.StateWaiting},
		"a page with status 200":         {polartest.HTMLPage(), true, deletion.StateWaiting},
	}
}

func TestWhatARowSaysOfRequestsThatMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	for name, answer := range answers() {
		for _, earlier := range []bool{false, true} {
			title := "after " + name
			if earlier {
				title += ", and an earlier one"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				databasetest.Each(t, func(t *testing.T, db *database.DB) {
					e := newEnvironment(t, db)
					e.customer("u1")
					e.accept(t, newDeletion("e1", "u1"))
					if earlier {
						e.breakDeletes(polartest.InternalError())
						e.work(t, "e1")
						e.clock.step(time.Minute)
					}
					before := e.row(t, "e1")
					require.Equal(t, earlier, before.sentAt > 0)
					e.breakDeletes(answer.fault)
					e.work(t, "e1")
					r := e.row(t, "e1")
					require.Equal(t, answer.state, r.State)
					require.False(t, r.Running, "its answer was heard")
					if answer.sent {
						require.Equal(t, queue.Micros(e.now()), r.sentAt)
					} else {
						require.Equal(t, before.sentAt, r.sentAt, "it proves that nothing was done")
					}
				})
			})
		}
	}
}

func TestAPolarThatCannotBeReachedHasDoneNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		e.customer("u1")
		e.accept(t, newDeletion("e1", "u1"))
		e.wire.onceAt(afterLookup, func() { e.wire.RoundTripper = unreachable{polarTransport(t)} })
		require.Positive(t, e.work(t, "e1"))
		r := e.row(t, "e1")
		require.Zero(t, r.sentAt)
		require.EqualValues(t, 1, r.Attempts)
		require.EqualValues(t, 1, r.Failures)
		e.wire.RoundTripper = polarTransport(t)
		e.clock.step(time.Minute)
		e.workAll(t)
		require.Equal(t, deletion.ConfirmedByAnswer, e.row(t, "e1").ConfirmedBy)
	})
}

// unreachable sends everything where nobody listens.
type unreachable struct{ http.RoundTripper }

func (u unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: r.URL.Path}
	return u.RoundTripper.RoundTrip(r)
}

func TestAPauseCostsNoAttempt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		e.customer("u1")
		e.accept(t, newDeletion("e1", "u1"))
		e.breakDeletes(polartest.RateLimited(30 * time.Second))
		for range 3 {
			require.Equal(t, 30*time.Second, e.work(t, "e1"))
			r := e.row(t, "e1")
			require.Zero(t, r.Attempts)
			require.Zero(t, r.Failures)
			require.Equal(t, e.now().Add(30*time.Second), r.NextTryAt)
			require.Equal(t, "rate_limited", r.Result)
			require.Equal(t, 429, *r.PolarStatus)
			e.clock.step(31 * time.Second)
		}
		e.polar.ClearFaults()
		e.workAll(t)
		r := e.row(t, "e1")
		require.EqualValues(t, 1, r.Attempts)
		require.Equal(t, deletion.ConfirmedByAnswer, r.ConfirmedBy)
	})
}

func TestAPauseThatBeginsAfterThePermitWasAcquired(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		e.customer("u1")
		e.accept(t, newDeletion("e1", "u1"))
		other, refusal := limiter(t, db, e.clock).Acquire(t.Context(), 1)
		require.Nil(t, refusal)
		e.wire.onceAt(afterLookup, func() { require.NoError(t, other.Report(t.Context(), pause(time.Minute))) })
		require.Equal(t, time.Minute, e.work(t, "e1"))
		require.Zero(t, e.polar.CallsOf(polartest.OperationDelete))
		r := e.row(t, "e1")
		require.Zero(t, r.sentAt)
		require.Zero(t, r.Attempts)
		e.clock.step(time.Minute)
		e.workAll(t)
		require.Equal(t, 1, e.polar.Deleted("u1"))
	})
}

func TestALostAnswer(t *testing.T) {
	t.Parallel()
	for _, anonymize := range []bool{false, true} {
		name := "makes of the next 404 a deletion"
		if anonymize {
			name += " that asked to anonymize"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				e := newEnvironment(t, db, func(o *deletion.Options) { o.Anonymize = anonymize })
				customer := e.customer("u1")
				e.accept(t, newDeletion("e1", "u1"))
				e.breakDeletes(polartest.ResetAfterCommit())
				e.work(t, "e1")
				require.True(t, e.row(t, "e1").AnswerLost)
				require.Equal(t, anonymize, e.row(t, "e1").sentAnonymized)
				e.polar.ClearFaults()
				e.clock.step(time.Minute)
				e.workAll(t)
				r := e.row(t, "e1")
				require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
				require.Equal(t, deletion.ConfirmedByRetry, r.ConfirmedBy)
				require.Equal(t, anonymize, r.Anonymized)
				require.Equal(t, customer.ID, r.CustomerID, "who it was was seen before")
				require.False(t, r.AnswerLost)
			})
		})
	}
}

func TestAnOperatorsApproval(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		team := e.polar.AddCustomer(polartest.Customer{ExternalID: "u1", Type: "team", CreatedAt: e.now().Add(-time.Hour)})
		e.accept(t, newDeletion("e1", "u1"))
		require.Equal(t, complete, e.work(t, "e1"))
		held := e.row(t, "e1")
		require.Equal(t, deletion.HoldTeam, held.HoldReason)
		require.Equal(t, team.ID, held.CustomerID)
		require.Zero(t, held.jobID, "nothing tries it again")
		require.NoError(t, e.operator.Approve(t.Context(), held.ID, ""))
		require.Equal(t, []deletion.Approval{{Reason: deletion.HoldTeam, CustomerID: team.ID}}, e.row(t, "e1").Approved)

		// Somebody else has the external id by now.
		other := e.polar.AddCustomer(polartest.Customer{ExternalID: "u1", Type: "team", CreatedAt: e.now().Add(-time.Hour)})
		e.work(t, "e1")
		again := e.row(t, "e1")
		require.Equal(t, deletion.HoldTeam, again.HoldReason, "it was given for another customer")
		require.Zero(t, e.polar.Deleted("u1"))
		require.NoError(t, e.operator.Approve(t.Context(), held.ID, ""))
		e.work(t, "e1")
		require.Equal(t, other.ID, e.row(t, "e1").CustomerID)
		require.Equal(t, 1, e.polar.Deleted("u1"))
	})
}

// backup does to the rows what the restoring of an hour-old backup does: they
// wait as they did then, with jobs, and Polar has gone on.
func backup(t testing.TB, db *database.DB) (restore func()) {
	t.Helper()
	overriding := ""
	if db.Dialect == database.Postgres {
		overriding = " OVERRIDING SYSTEM VALUE"
	}
	tables := []string{"polar_bridge_deletions", "polar_bridge_actions", "polar_bridge_approvals", "river_job", "polar_bridge_rate_limit"}
	for _, table := range tables {
		_, err := db.Main.ExecContext(t.Context(), "CREATE TABLE backup_of_"+table+" AS SELECT * FROM "+table)
		require.NoError(t, err)
	}
	return func() {
		for _, table := range tables {
			_, err := db.Main.ExecContext(t.Context(), "DELETE FROM "+table)
			require.NoError(t, err)
			_, err = db.Main.ExecContext(t.Context(), "INSERT INTO "+table+overriding+" SELECT * FROM backup_of_"+table)
			require.NoError(t, err)
		}
	}
}

func TestABackupOfAnHourAgo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		e := newEnvironment(t, db)
		for _, externalID := range []string{"u1", "u2", "u3"} {
			e.customer(externalID)
		}
		e.accept(t, newDeletion("e1", "u1"), newDeletion("e2", "u2"))
		e.breakDeletes(polartest.InternalError())
		e.work(t, "e2") // the backup knows of one whose answer was lost
		e.polar.ClearFaults()
		restore := backup(t, db)
		e.clock.step(time.Minute)
		e.accept(t, newDeletion("e3", "u3"))
		e.workAll(t)
		e.clock.step(30 * time.Minute)
		e.polar.AddCustomer(polartest.Customer{ExternalID: "u1", CreatedAt: e.now()}) // signed up once more
		calls := e.polar.CallsOf(polartest.OperationDelete)

		restore()
		e.clock.step(30 * time.Minute)
		e.workAll(t)
		t.Run("deletes nobody who came since", func(t *testing.T) { //nolint:paralleltest // one step after the other
			require.Equal(t, deletion.HoldRecreated, e.row(t, "e1").HoldReason)
			require.True(t, e.polar.Exists("u1"))
		})
		t.Run("ends those whose customers are gone", func(t *testing.T) { //nolint:paralleltest // one step after the other
			r := e.row(t, "e2")
			require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
			require.Equal(t, deletion.ConfirmedByRetry, r.ConfirmedBy)
			require.Equal(t, calls+1, e.polar.CallsOf(polartest.OperationDelete))
		})
		t.Run("takes once more what it does not know, and ends it", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := e.Accept(context.WithoutCancel(t.Context()), []deletion.Deletion{newDeletion("e1", "u1"), newDeletion("e3", "u3")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Accepted: 1, Duplicates: 1}, receipt)
			e.workAll(t)
			require.Equal(t, deletion.OutcomeNotFound, e.row(t, "e3").Outcome)
			require.Equal(t, 1, e.polar.Deleted("u3"))
		})
	})
}
