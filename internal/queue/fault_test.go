package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// A decision is awaited while the database is away: what Polar did is not forgotten.
func TestADecisionIsWrittenOnceTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	for name, decision := range map[string]struct {
		seen     deletion.Observed
		decision deletion.Decision
		state    deletion.State
	}{
		"that it is done":     {answered(204), doneDeleted(), deletion.StateDone},
		"that it is held":     {answered(422), hold(deletion.HoldRejected), deletion.StateHeld},
		"that it is retried":  {answered(503), serverError(), deletion.StateWaiting},
		"that it has to wait": {answered(429), pause(time.Minute), deletion.StateWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.EachURL(t, func(t *testing.T, url string) {
				h := byHand(t, databasetest.OpenMigrated(t, url), nil)
				h.accept(t, newDeletion("e1", "u1"))
				sending := newHalted()
				h.applier.apply = sending.during(sends(decision.seen, decision.decision))
				finish := sending.begin(t, h, h.row(t, "e1"))
				unlock := lockTables(t, url)
				ended := make(chan time.Duration, 1)
				go func() { ended <- finish() }()
				h.line(t, "a decision could not be written: trying again")
				require.Empty(t, ended)
				unlock()
				<-ended
				r := h.row(t, "e1")
				require.Equal(t, decision.state, r.State)
				require.False(t, r.Running)
				require.NotEmpty(t, r.Result)
			})
		})
	}
}

func TestADecisionIsWrittenOnceACrashedServerIsBack(t *testing.T) {
	t.Parallel()
	server := databasetest.NewServer(t)
	sending := newHalted()
	h := byHand(t, databasetest.OpenMigrated(t, server.URL()), sending.during(deletes()))
	h.accept(t, newDeletion("e1", "u1"))
	finish := sending.begin(t, h, h.row(t, "e1"))
	server.Stop(t)
	ended := make(chan time.Duration, 1)
	go func() { ended <- finish() }()
	h.line(t, "a decision could not be written: trying again")
	server.Start(t)
	require.Equal(t, complete, <-ended)
	r := h.row(t, "e1")
	require.Equal(t, deletion.OutcomeDeleted, r.Outcome)
	require.Equal(t, 1, h.logs.FilterMessage("deletion finished").Len())
	require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_total", "deleted"))
}

// What shares a transaction with a deletion that cannot be stored does not share
// its fate.
func TestADecisionBesideADeletionThatIsRefused(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		h := byHand(t, databasetest.OpenMigrated(t, url), nil)
		refuse(t, h.db, "polar_bridge_deletions", "NEW.event_id = 'bad'")
		h.accept(t, newDeletion("decided", "u1"), newDeletion("begins", "u2"))
		deciding, beginning := newHalted(), newHalted()
		decided, begins := h.row(t, "decided"), h.row(t, "begins")
		h.applier.apply = func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
			if a.EventID == "decided" {
				return deciding.during(deletes())(ctx, a, journal)
			}
			return beginning.before(deletes())(ctx, a, journal)
		}
		finishDeciding := deciding.begin(t, h, decided)
		finishBeginning := beginning.begin(t, h, begins)
		unlock := lockTables(t, url)
		var together sync.WaitGroup
		together.Go(func() { // the first one waits for the lock, so that the others share what comes next
			_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("first", "u3")})
			if err != nil {
				t.Error(err)
			}
		})
		together.Go(func() {
			_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("bad", "u4")})
			if fault.KindOf(err) != fault.Unavailable {
				t.Error("it was stored")
			}
		})
		together.Go(func() { finishDeciding() })
		together.Go(func() { finishBeginning() })
		unlock()
		together.Wait()
		require.Equal(t, deletion.StateDone, h.row(t, "decided").State)
		require.Equal(t, deletion.StateDone, h.row(t, "begins").State)
		require.Equal(t, deletion.StateWaiting, h.row(t, "first").State)
	})
}

// A commit whose answer is lost may have been done: the decision is written once
// more, and must neither count twice nor not at all.
func TestADecisionThatWasWrittenTwice(t *testing.T) {
	t.Parallel()
	again := func(t *testing.T, seen deletion.Observed, decision deletion.Decision, afterwards func(t *testing.T, h *harness)) {
		t.Helper()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			var lost atomic.Int64
			h := byHand(t, db, nil, func(o *queue.Options) {
				o.InPlace = func() error {
					if lost.Add(-1) >= 0 {
						return errors.New("the answer to the commit was lost")
					}
					return nil
				}
			})
			h.applier.apply = func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				seen, decision := sends(seen, decision)(ctx, a, journal)
				lost.Store(2) // it is asked twice about one commit
				return seen, decision
			}
			h.accept(t, newDeletion("e1", "u1"))
			h.work(t, "e1")
			require.Equal(t, 1, h.logs.FilterMessage("a decision could not be written: trying again").Len())
			afterwards(t, h)
		})
	}
	t.Run("that it is done is counted and logged", func(t *testing.T) {
		t.Parallel()
		again(t, answered(204), doneDeleted(), func(t *testing.T, h *harness) {
			t.Helper()
			require.Equal(t, deletion.StateDone, h.row(t, "e1").State)
			require.Equal(t, 1, h.logs.FilterMessage("deletion finished").Len())
			require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_total", "deleted"))
		})
	})
	t.Run("that it is held is counted and logged", func(t *testing.T) {
		t.Parallel()
		again(t, answered(422), hold(deletion.HoldRejected), func(t *testing.T, h *harness) {
			t.Helper()
			require.Equal(t, deletion.StateHeld, h.row(t, "e1").State)
			require.Equal(t, 1, h.logs.FilterMessage("deletion held").Len())
			require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_held_total", "rejected"))
		})
	})
	t.Run("that it failed is one failure", func(t *testing.T) {
		t.Parallel()
		again(t, answered(503), serverError(), func(t *testing.T, h *harness) {
			t.Helper()
			require.EqualValues(t, 1, h.row(t, "e1").Failures)
			require.EqualValues(t, 1, h.row(t, "e1").Attempts)
		})
	})
	t.Run("that it has to wait takes one attempt back", func(t *testing.T) {
		t.Parallel()
		again(t, answered(429), pause(time.Minute), func(t *testing.T, h *harness) {
			t.Helper()
			require.Zero(t, h.row(t, "e1").Attempts)
		})
	})
}

func TestWhatIsNotInPlaceIsNotStored(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var away atomic.Bool
		h := byHand(t, db, deletes(), func(o *queue.Options) {
			o.InPlace = func() error {
				if away.Load() {
					return errors.New("the file was moved")
				}
				return nil
			}
		})
		h.accept(t, newDeletion("e1", "u1"))
		away.Store(true)
		_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e2", "u2")})
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.ErrorContains(t, err, "the file was moved")
	})
}

func TestARequestIsNotSentWhoseBeginCannotBeWritten(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		h.accept(t, newDeletion("e1", "u1"))
		_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_rate_limit RENAME TO away")
		require.NoError(t, err)
		require.Positive(t, h.work(t, "e1"))
		require.Zero(t, h.applier.requests())
		require.Equal(t, "database", h.row(t, "e1").Result)
		_, err = db.Main.ExecContext(t.Context(), "ALTER TABLE away RENAME TO polar_bridge_rate_limit")
		require.NoError(t, err)
		require.Equal(t, complete, h.work(t, "e1"))
	})
}

func TestARowThatCannotBeReadIsTriedLater(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		h.accept(t, newDeletion("e1", "u1"))
		r := h.row(t, "e1")
		_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_deletions RENAME TO away")
		require.NoError(t, err)
		require.Positive(t, h.workJob(t, r))
		require.NotEmpty(t, h.line(t, "a deletion could not be read")["error"])
		require.Zero(t, h.counted(t, "polar_bridge_queue_orphans_total", "job"), "it is not gone")
		_, err = db.Main.ExecContext(t.Context(), "ALTER TABLE away RENAME TO polar_bridge_deletions")
		require.NoError(t, err)
		require.Equal(t, complete, h.workJob(t, r))
	})
}

func TestTablesThatAreGoneAreSaidByEverybodyWhoLooks(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, table := range []string{"river_job", "polar_bridge_deletions"} {
			_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE "+table+" RENAME TO elsewhere_"+table)
			require.NoError(t, err)
		}
		h := start(t, db, deletes())
		for _, message := range []string{
			"looking for deletions that a clock left in the future failed", "poll for operator actions failed", "removing old deletions failed",
		} {
			require.NotEmpty(t, h.line(t, message)["error"])
		}
		_, err := h.Depth(t.Context())
		require.ErrorContains(t, err, "count deletions: ")
		if db.Dialect == database.SQLite {
			_, err = h.ResetRunning(t.Context())
			require.ErrorContains(t, err, "take back interrupted ")
		}
		require.ErrorContains(t, (&queue.OrphanSweep{}).Step(t.Context(), h.Queue), "look for orphans: ")
	})
}

func TestAQueueWithoutWorkersIsRefused(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	_, err := queue.New(queue.Options{Driver: db.Driver(), SQL: db.SQL, DB: db.Main, Reader: db.Reader, Binding: bound{1, true}, Logger: zap.NewNop(), Now: time.Now, Retention: 72 * time.Hour})
	require.ErrorContains(t, err, "prepare queue: ")
}
