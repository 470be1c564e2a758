package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestARepeatIsRecognisedWhateverBecameOfTheFirst(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletes())
		first, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1}, first)
		h.wait(t, "e1", deletion.StateDone)

		again, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1"), newDeletion("e2", "u1"), newDeletion("e2", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1, Duplicates: 2}, again)

		other := newDeletion("e1", "u1")
		other.Provider = "auth0"
		receipt, err := h.Accept(t.Context(), []deletion.Deletion{other})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1}, receipt, "ids are a provider's own")
	})
}

func TestWhatIsAcceptedStandsInTheRow(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes(), func(o *queue.Options) { o.GracePeriod = time.Hour })
		d := newDeletion("e1", "u1")
		d.UserID, d.Instance, d.OccurredAt = "internal", "tenant", time.Time{}
		compared := newDeletion(deletion.ReconcileEventID("c1"), "u2")
		h.accept(t, d, compared)
		r := h.row(t, "e1")
		require.Equal(t, "clerk", r.Provider)
		require.Equal(t, "u1", r.ExternalID)
		require.Equal(t, "internal", r.UserID)
		require.Equal(t, "tenant", r.Instance)
		require.Equal(t, deletion.SourceWebhook, r.Source)
		require.Equal(t, deletion.StateWaiting, r.State)
		require.Zero(t, r.OccurredAt, "nobody can read when it happened")
		require.WithinDuration(t, d.ReceivedAt, r.ReceivedAt, time.Microsecond)
		require.WithinDuration(t, d.ReceivedAt.Add(time.Hour), r.NextTryAt, time.Microsecond)
		require.Equal(t, "scheduled", h.jobState(t, r.jobID))
		require.Equal(t, deletion.SourceReconcile, h.row(t, compared.EventID).Source)
	})
}

func TestSimultaneousCopiesAreAcceptedOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		first, second := start(t, db, deletes()), start(t, db, deletes())
		const events, copies = 40, 5
		var group sync.WaitGroup
		var mutex sync.Mutex
		var total deletion.Receipt
		for i := range events * copies {
			group.Go(func() {
				q := []*harness{first, second}[i%2]
				r, err := q.Accept(t.Context(), []deletion.Deletion{newDeletion(fmt.Sprint("e", i%events), fmt.Sprint("u", i%events))})
				mutex.Lock()
				defer mutex.Unlock()
				total = total.Plus(r)
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.Equal(t, deletion.Receipt{Accepted: events, Duplicates: events * (copies - 1)}, total)
		require.Eventually(t, func() bool { return first.applier.requests()+second.applier.requests() == events }, time.Minute, 10*time.Millisecond)
	})
}

func TestAnUnusableIDIsHeldFromTheStart(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletes())
		receipt, err := h.Accept(t.Context(), []deletion.Deletion{unusable("bad"), newDeletion("good", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 2, Held: 1}, receipt)

		attempts := h.applier.wait(t, 1)
		require.Equal(t, "good", attempts[0].EventID)
		h.wait(t, "good", deletion.StateDone)
		r := h.row(t, "bad")
		require.Equal(t, deletion.StateHeld, r.State)
		require.Equal(t, deletion.HoldUnusableID, r.HoldReason)
		require.Equal(t, unusable("").UnusableID, r.UnusableID)
		require.WithinDuration(t, time.Now(), r.HeldAt, time.Minute)
		require.Zero(t, r.jobID)
		require.Equal(t, "unusable_id", h.line(t, "deletion held")["reason"])
		require.Equal(t, 1, h.counted(t, "polar_bridge_deletions_held_total", "unusable_id"))

		depth, err := h.Depth(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Depth{
			Pending: tally(deletion.StateHeld), Held: tally(deletion.HoldUnusableID), Reappeared: tally[deletion.Verification](),
		}, depth)
	})
}

func TestADatabaseThatDoesNotTakeItIsUnavailableWithinTwoSecondsAndRecovers(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		db := databasetest.OpenMigrated(t, url)
		h := start(t, db, deletes())
		unlock := lockTables(t, url)

		began, lost := time.Now(), stalls(t)
		_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		require.Less(t, time.Since(began)-lost(), 2500*time.Millisecond)

		unlock()
		require.Eventually(t, func() bool {
			_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
			return err == nil
		}, time.Minute, 10*time.Millisecond)
		h.wait(t, "e1", deletion.StateDone)
	})
}

// lockTables keeps everybody else from writing deletions and jobs until unlock is
// called.
func lockTables(t *testing.T, url string) (unlock func()) {
	t.Helper()
	db, err := database.Open(t.Context(), url, database.DefaultSchema)
	require.NoError(t, err)
	tx, err := db.Main.BeginTx(t.Context(), nil) // on SQLite that alone locks the file
	require.NoError(t, err)
	if db.Dialect == database.Postgres {
		_, err = tx.ExecContext(t.Context(), "LOCK TABLE polar_bridge_deletions, river_job IN EXCLUSIVE MODE")
		require.NoError(t, err)
	}
	return func() {
		require.NoError(t, tx.Rollback())
		require.NoError(t, db.Close())
	}
}

func TestOneUnstorableDeletionFailsAlone(t *testing.T) {
	t.Parallel()
	url := databasetest.Postgres(t)
	h := start(t, databasetest.OpenMigrated(t, url), deletes())
	unlock := lockTables(t, url)
	// The first request waits for the lock, so that the others share what comes next.
	go func() { _, _ = h.Accept(t.Context(), []deletion.Deletion{newDeletion("first", "u")}) }()
	require.Eventually(t, func() bool { return waitsForLock(t, url) }, time.Minute, 10*time.Millisecond)

	const requests = 8
	errs := make([]error, requests)
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			d := newDeletion(fmt.Sprint("e", i), "u")
			if i == 3 {
				d.ExternalID = "nul\x00" // Postgres cannot store it
			}
			_, errs[i] = h.Accept(t.Context(), []deletion.Deletion{d})
		})
	}
	go unlock()
	group.Wait()
	for i, err := range errs {
		if i == 3 {
			require.Equal(t, fault.Unavailable, fault.KindOf(err))
			continue
		}
		require.NoError(t, err, "request %d", i)
	}
}

func TestOneUnstorableDeletionOfARequestFailsAlone(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		allow := refuse(t, db, "polar_bridge_deletions", "NEW.event_id = 'e137'")
		h := start(t, db, deletes())
		const many = 250 // the bad one is in the second of three chunks
		deletions := make([]deletion.Deletion, many)
		for i := range deletions {
			deletions[i] = newDeletion(fmt.Sprint("e", i), fmt.Sprint("u", i))
		}
		stored := func() (n int) {
			require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM polar_bridge_deletions").Scan(&n))
			return n
		}
		for deadline := time.Now().Add(30 * time.Second); stored() < many-1; {
			_, err := h.Accept(t.Context(), deletions)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "the sender must send it again")
			require.True(t, time.Now().Before(deadline), "%d are stored", stored())
		}
		require.Eventually(t, func() bool { return h.applier.requests() == many-1 }, time.Minute, 10*time.Millisecond)
		allow()
		receipt, err := h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1, Duplicates: many - 1}, receipt)
	})
}

func TestADeletionWithoutAJobIsNotStored(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		allow := refuse(t, db, "river_job", "NEW.kind = 'polar_bridge_delete'")
		h := byHand(t, db, deletes())
		_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		allow()
		receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1}, receipt, "both are in one transaction")
	})
}

// refuse makes the database refuse new rows of which the condition holds, until
// allow is called.
func refuse(t *testing.T, db *database.DB, table, condition string) (allow func()) {
	t.Helper()
	create, drop := `CREATE TRIGGER refuse BEFORE INSERT ON `+table+` WHEN `+condition+` BEGIN SELECT raise(ABORT, 'full'); END`, `DROP TRIGGER refuse`
	if db.Dialect == database.Postgres {
		create = `CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''full''; END' LANGUAGE plpgsql;
			CREATE TRIGGER refuse BEFORE INSERT ON ` + table + ` FOR EACH ROW WHEN (` + condition + `) EXECUTE FUNCTION refuse()`
		drop = `DROP TRIGGER refuse ON ` + table
	}
	_, err := db.Main.ExecContext(t.Context(), create)
	require.NoError(t, err)
	return func() {
		_, err := db.Main.ExecContext(t.Context(), drop)
		require.NoError(t, err)
	}
}

func waitsForLock(t *testing.T, url string) bool {
	t.Helper()
	db, err := database.Open(t.Context(), url, database.DefaultSchema)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var waiting int
	require.NoError(t, db.Main.QueryRowContext(t.Context(),
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting))
	return waiting > 0
}

func TestAConnectionThatTheServerClosedIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	h := start(t, db, deletes())
	h.accept(t, newDeletion("e1", "u1"))
	_, err := db.Reader.ExecContext(t.Context(),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
	h.accept(t, newDeletion("e2", "u2"))
	require.Eventually(t, func() bool { return h.logs.FilterMessage("deletion finished").Len() == 2 }, time.Minute, 10*time.Millisecond)
}

func TestThousandsOfDeletionsInOneRequestAreStoredTogether(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletes(), func(o *queue.Options) { o.Workers = 1 })
		const many = 1200
		deletions := make([]deletion.Deletion, many)
		for i := range deletions {
			deletions[i] = newDeletion(fmt.Sprint("e", i), fmt.Sprint("u", i))
		}
		receipt, err := h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: many}, receipt)
		receipt, err = h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Duplicates: many}, receipt)
	})
}

func TestASenderThatHangsUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	h := start(t, databasetest.OpenMigrated(t, url), deletes())
	unlock := lockTables(t, url)

	gone, hangUp := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var stays, leaves error
	group.Go(func() { _, leaves = h.Accept(gone, []deletion.Deletion{newDeletion("e1", "u1")}) })
	group.Go(func() { _, stays = h.Accept(t.Context(), []deletion.Deletion{newDeletion("e2", "u2")}) })
	hangUp()
	go unlock()
	group.Wait()
	require.NoError(t, stays)
	require.Equal(t, fault.Unavailable, fault.KindOf(leaves))
}

func TestAStoppedQueueTakesNothing(t *testing.T) {
	t.Parallel()
	h := start(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deletes())
	h.stop(t)
	_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestNothingToStoreIsStoredAtOnce(t *testing.T) {
	t.Parallel()
	h := byHand(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deletes())
	receipt, err := h.Accept(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, receipt)
}

func TestIDsAreStoredAsTheyCame(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		for i, id := range []string{"00123", "9007199254740993", "1e3", "true", "null", `{"a":1}`, `back\slash"quote`, "grüße 🙂", "\u2028", "' OR '1'='1"} {
			eventID := fmt.Sprint("e", i)
			h.accept(t, newDeletion(eventID, id))
			got := h.row(t, eventID)
			require.Equal(t, id, got.ExternalID)
			require.Equal(t, id, got.UserID)
		}
		_, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e\xff", "u1")})
		require.Error(t, err, "it cannot be stored as it is")
	})
}
