package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

const adopted = "a deletion had no job: it got a new one"

// sweep looks at all deletions once, and a little more.
func (h *harness) sweep(t *testing.T) {
	t.Helper()
	var sweep queue.OrphanSweep
	for range 2 {
		require.NoError(t, sweep.Step(t.Context(), h.Queue))
	}
}

func (h *harness) loseJobs(t *testing.T) {
	t.Helper()
	_, err := h.db.Main.ExecContext(t.Context(), "DELETE FROM river_job")
	require.NoError(t, err)
}

func TestADeletionWhoseJobIsLost(t *testing.T) {
	t.Parallel()
	t.Run("gets a new one, and that is said", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := byHand(t, db, deletes())
			h.accept(t, newDeletion("e1", "u1"))
			before := h.row(t, "e1")
			h.loseJobs(t)
			h.clock.step(queue.OrphanAge + time.Minute)
			h.sweep(t)
			r := h.row(t, "e1")
			require.Equal(t, before.Generation+1, r.Generation)
			require.Equal(t, "available", h.jobState(t, r.jobID))
			lines := h.logs.FilterMessage(adopted).All()
			require.Len(t, lines, 1, "once")
			require.Equal(t, zapcore.ErrorLevel, lines[0].Level)
			require.Equal(t, "e1", lines[0].ContextMap()["event_id"])
			require.Equal(t, 1, h.counted(t, "polar_bridge_queue_orphans_total", "deletion"))
			require.Equal(t, complete, h.workJob(t, before), "the lost one would do nothing should it come back")
			require.Zero(t, h.applier.requests())
			require.Equal(t, complete, h.work(t, "e1"))
			require.Equal(t, deletion.StateDone, h.row(t, "e1").State)
		})
	})
	t.Run("under a running server is carried out", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			c := newClock()
			h := prepare(t, db, inTurn(decides(deletion.Wait{Reason: deletion.WaitPermit, For: time.Hour}), deletes()), nil,
				func(o *queue.Options) { o.Now = func() time.Time { return c.now() } })
			h.run(t)
			h.accept(t, newDeletion("e1", "u1"))
			require.Eventually(t, func() bool { return h.jobState(t, h.row(t, "e1").jobID) == "scheduled" }, time.Minute, 10*time.Millisecond)
			h.loseJobs(t)
			c.step(queue.OrphanAge + time.Minute)
			h.sweep(t)
			h.wait(t, "e1", deletion.StateDone)
			require.Equal(t, 1, h.applier.requests())
		})
	})
	t.Run("in the middle of its attempt ends all the same", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			inMid := newHalted()
			h := start(t, db, inMid.during(deletes()))
			h.accept(t, newDeletion("e1", "u1"))
			<-inMid.arrived
			h.loseJobs(t)
			close(inMid.goOn)
			h.wait(t, "e1", deletion.StateDone)
		})
	})
	t.Run("waits until its backoff is over", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := byHand(t, db, sends(answered(429), pause(time.Hour)))
			h.accept(t, newDeletion("e1", "u1"))
			h.work(t, "e1")
			due := h.row(t, "e1").NextTryAt
			h.loseJobs(t)
			h.clock.step(queue.OrphanAge + time.Minute)
			h.sweep(t)
			r := h.row(t, "e1")
			require.Equal(t, due, r.NextTryAt)
			require.Equal(t, "scheduled", h.jobState(t, r.jobID))
		})
	})
	t.Run("is verified", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			v := &verifier{verify: gone}
			h := byHand(t, db, deletes(), verifying(v, time.Hour))
			h.accept(t, newDeletion("e1", "u1"))
			h.work(t, "e1")
			h.loseJobs(t)
			h.clock.step(queue.OrphanAge + time.Minute)
			h.sweep(t)
			r := h.row(t, "e1")
			require.Equal(t, deletion.StateDone, r.State)
			require.Equal(t, "scheduled", h.jobState(t, r.jobID))
			require.Equal(t, complete, snoozed(t, h.Verify(t.Context(), r.jobID, r.ID, r.Generation)))
			require.Equal(t, deletion.VerificationGone, h.row(t, "e1").Verification)
			require.Equal(t, 1, h.applier.requests())
		})
	})
	t.Run("of a dry run gets one of a dry run", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			dry := byHand(t, db, deletes(), func(o *queue.Options) { o.DryRun = true })
			dry.accept(t, newDeletion("e1", "u1"))
			dry.loseJobs(t)
			wet := sharing(t, db, dry.clock, deletes())
			wet.clock.step(queue.OrphanAge + time.Minute)
			wet.sweep(t)
			var kind string
			require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT kind FROM river_job").Scan(&kind))
			require.Equal(t, "polar_bridge_dry_run", kind)
		})
	})
	t.Run("is one that River has discarded or completed, too", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			h := byHand(t, db, deletes())
			for _, state := range []string{"discarded", "completed", "cancelled"} {
				h.accept(t, newDeletion(state, "u1"))
				_, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET state = $1, finalized_at = created_at WHERE id = $2", state, h.row(t, state).jobID)
				require.NoError(t, err)
			}
			h.clock.step(queue.OrphanAge + time.Minute)
			h.sweep(t)
			require.Len(t, h.logs.FilterMessage(adopted).All(), 3)
		})
	})
}

func TestWhoIsNoOrphan(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, inTurn(sends(answered(503), serverError()), decides(hold(deletion.HoldTeam)), deletes()))
		for _, eventID := range []string{"has a job", "is held", "is done", "is young", "was just tried", "has a request on its way", "is cancelled"} {
			h.accept(t, newDeletion(eventID, "u1"))
		}
		h.work(t, "has a job")
		h.work(t, "is held")
		h.work(t, "is done")
		_, err := operator(t, h).Cancel(t.Context(), h.row(t, "is cancelled").ID, "no")
		require.NoError(t, err)
		_, err = db.Main.ExecContext(t.Context(), "DELETE FROM river_job WHERE id <> $1", h.row(t, "has a job").jobID)
		require.NoError(t, err)
		h.clock.step(queue.OrphanAge + time.Minute)
		recently := queue.Micros(h.now().Add(-time.Second))
		for column, eventID := range map[string]string{"received_at": "is young", "decided_at": "was just tried", "sent_at": "has a request on its way"} {
			_, err = db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET "+column+" = $1 WHERE event_id = $2", recently, eventID)
			require.NoError(t, err)
		}
		h.sweep(t)
		require.Zero(t, h.logs.FilterMessage(adopted).Len())
	})
}

func TestSeveralServersAdoptAnOrphanOnce(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, address string) {
		a := byHand(t, databasetest.OpenMigrated(t, address), deletes())
		b := sharing(t, databasetest.OpenMigrated(t, address), a.clock, deletes())
		const orphans = 30
		for i := range orphans {
			a.accept(t, newDeletion(fmt.Sprint("e", i), "u1"))
		}
		a.loseJobs(t)
		a.clock.step(queue.OrphanAge + time.Minute)
		ended := make(chan error, 2)
		for _, h := range []*harness{a, b} {
			go func() { ended <- (&queue.OrphanSweep{}).Step(t.Context(), h.Queue) }()
		}
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		require.Equal(t, orphans, a.logs.FilterMessage(adopted).Len()+b.logs.FilterMessage(adopted).Len())
		var jobs int
		require.NoError(t, a.db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job").Scan(&jobs))
		require.Equal(t, orphans, jobs)
	})
}

func TestOneOfSeveralServersLooksForOrphans(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		a := byHand(t, db, deletes())
		b := sharing(t, db, a.clock, deletes())
		a.accept(t, newDeletion("e1", "u1"))
		a.clock.step(queue.OrphanAge + time.Minute)
		a.sweep(t)
		a.loseJobs(t)
		b.sweep(t)
		require.Zero(t, b.logs.FilterMessage(adopted).Len(), "the first one is at it")
		a.clock.step(queue.OrphansLease - time.Second)
		a.sweep(t)
		require.Equal(t, 1, a.logs.FilterMessage(adopted).Len())
		a.loseJobs(t)
		a.clock.step(queue.OrphansLease - time.Second)
		b.sweep(t)
		require.Zero(t, b.logs.FilterMessage(adopted).Len(), "it has renewed its lease")
		a.clock.step(2 * time.Second)
		b.sweep(t)
		require.Equal(t, 1, b.logs.FilterMessage(adopted).Len(), "and has left")
		a.loseJobs(t)
		a.clock.step(-24 * time.Hour)
		a.set(t, "received_at", 1)
		a.sweep(t)
		require.Equal(t, 2, a.logs.FilterMessage(adopted).Len(), "a lease from a clock that stepped back binds nobody")
	})
}

func TestTheSweepGoesThroughAllOfThem(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		const many = queue.OrphansAtOnce + 500
		fill(t, db, many, "waiting", "")
		h.accept(t, newDeletion("last", "u1"))
		_, err := db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET job_id = (SELECT min(id) FROM river_job)")
		require.NoError(t, err)
		h.set(t, "received_at", 1)
		_, err = db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET job_id = 0 WHERE event_id = 'last'")
		require.NoError(t, err)
		var sweep queue.OrphanSweep
		require.NoError(t, sweep.Step(t.Context(), h.Queue))
		require.Zero(t, h.logs.FilterMessage(adopted).Len(), "the first chunk")
		require.NoError(t, sweep.Step(t.Context(), h.Queue))
		require.Equal(t, 1, h.logs.FilterMessage(adopted).Len(), "the second")
		_, err = db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET job_id = 0 WHERE event_id = 'waiting1'")
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, sweep.Step(t.Context(), h.Queue))
		}
		require.Equal(t, 2, h.logs.FilterMessage(adopted).Len(), "and from the first on")
	})
}

// fill stores deletions without going through the queue, and without jobs.
func fill(t testing.TB, db *database.DB, n int, state deletion.State, reason deletion.HoldReason) {
	t.Helper()
	prefix := string(reason)
	if prefix == "" {
		prefix = string(state)
	}
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, hold_reason, held_at)
		SELECT '%[2]s' || i, 'clerk', '%[2]s' || i, FALSE, '', 'webhook', '', 'u' || i, 'u' || i, '', %[3]d, %[3]d, '%[4]s', '%[5]s', %[3]d FROM n`,
		n, prefix, queue.Micros(time.Now()), state, reason))
	require.NoError(t, err)
}

// tally counts the words.
func tally[W comparable](words ...W) map[W]int {
	counts := map[W]int{}
	for _, word := range words {
		counts[word]++
	}
	return counts
}
