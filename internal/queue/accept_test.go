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
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestARepeatIsRecognisedWhateverBecameOfTheFirst(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deleted)
		first, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 1}, first)
		h.waitState(t, "e1", "completed")

		again, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1"), deletion("e2", "u1"), deletion("e2", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 1, Duplicates: 2}, again)

		other := deletion("e1", "u1")
		other.Provider = "auth0"
		receipt, err := h.Accept(t.Context(), []event.Deletion{other})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 1}, receipt, "ids are a provider's own")
	})
}

func TestSimultaneousCopiesAreAcceptedOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		first, second := start(t, db, deleted), start(t, db, deleted)
		const events, copies = 40, 5
		var group sync.WaitGroup
		var mutex sync.Mutex
		var total event.Receipt
		for i := range events * copies {
			group.Go(func() {
				q := []*harness{first, second}[i%2]
				r, err := q.Accept(t.Context(), []event.Deletion{deletion(fmt.Sprint("e", i%events), fmt.Sprint("u", i%events))})
				mutex.Lock()
				defer mutex.Unlock()
				total.Accepted, total.Duplicates = total.Accepted+r.Accepted, total.Duplicates+r.Duplicates
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.Equal(t, event.Receipt{Accepted: events, Duplicates: events * (copies - 1)}, total)
		require.Eventually(t, func() bool {
			a, _ := first.applier.seen()
			b, _ := second.applier.seen()
			return len(a)+len(b) == events
		}, 20*time.Second, 10*time.Millisecond)
	})
}

func TestAnUnusableIDIsHeldFromTheStart(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deleted)
		receipt, err := h.Accept(t.Context(), []event.Deletion{unusable("bad"), deletion("good", "u1")})
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 2, Held: 1}, receipt)

		attempts := h.applier.wait(t, 1)
		require.Equal(t, "good", attempts[0].EventID)
		h.waitState(t, "good", "completed")
		j := h.job(t, "bad")
		require.Equal(t, "scheduled", j.state)
		require.Contains(t, j.metadata, `unusable_id`)
		require.Equal(t, "unusable_id", h.line(t, "deletion held")["reason"])

		census, err := h.Census(t.Context())
		require.NoError(t, err)
		require.Equal(t, queue.Census{Held: 1}, census)
	})
}

func TestADatabaseThatDoesNotTakeItIsUnavailableWithinTwoSecondsAndRecovers(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		db := databasetest.OpenMigrated(t, url)
		h := start(t, db, deleted)
		unlock := lockJobs(t, url)

		began := time.Now()
		_, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		require.Less(t, time.Since(began), 2500*time.Millisecond)

		unlock()
		require.Eventually(t, func() bool {
			_, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
			return err == nil
		}, 10*time.Second, 10*time.Millisecond)
		h.waitState(t, "e1", "completed")
	})
}

// lockJobs keeps everybody else from writing to the job table until unlock is called.
func lockJobs(t *testing.T, url string) (unlock func()) {
	t.Helper()
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	tx, err := db.Main.BeginTx(t.Context(), nil) // on SQLite that alone locks the file
	require.NoError(t, err)
	if db.Dialect == database.Postgres {
		_, err = tx.ExecContext(t.Context(), "LOCK TABLE river_job IN EXCLUSIVE MODE")
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
	h := start(t, databasetest.OpenMigrated(t, url), deleted)
	unlock := lockJobs(t, url)
	// The first request waits for the lock, so that the others share what comes next.
	go func() { _, _ = h.Accept(t.Context(), []event.Deletion{deletion("first", "u")}) }()
	require.Eventually(t, func() bool { return waitsForLock(t, url) }, 5*time.Second, 10*time.Millisecond)

	const requests = 8
	errs := make([]error, requests)
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() {
			d := deletion(fmt.Sprint("e", i), "u")
			if i == 3 {
				d.ExternalID = "nul\x00" // Postgres cannot store it in a jsonb column
			}
			_, errs[i] = h.Accept(t.Context(), []event.Deletion{d})
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
		allow := refuse(t, db, "NEW.args ->> 'event_id' = 'e137'")
		h := start(t, db, deleted)
		const many = 250 // the bad one is in the second of three chunks
		deletions := make([]event.Deletion, many)
		for i := range deletions {
			deletions[i] = deletion(fmt.Sprint("e", i), fmt.Sprint("u", i))
		}
		require.Eventually(t, func() bool {
			_, err := h.Accept(t.Context(), deletions)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "the sender must send it again")
			done, _ := h.applier.seen()
			return len(done) == many-1
		}, 30*time.Second, 10*time.Millisecond)
		allow()
		receipt, err := h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: 1, Duplicates: many - 1}, receipt)
	})
}

// refuse makes the database refuse new jobs of which the condition holds, until
// allow is called.
func refuse(t *testing.T, db *database.DB, condition string) (allow func()) {
	t.Helper()
	create, drop := `CREATE TRIGGER refuse BEFORE INSERT ON river_job WHEN `+condition+` BEGIN SELECT raise(ABORT, 'full'); END`, `DROP TRIGGER refuse`
	if db.Dialect == database.Postgres {
		create = `CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''full''; END' LANGUAGE plpgsql;
			CREATE TRIGGER refuse BEFORE INSERT ON river_job FOR EACH ROW WHEN (` + condition + `) EXECUTE FUNCTION refuse()`
		drop = `DROP TRIGGER refuse ON river_job`
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
	db, err := database.Open(t.Context(), url)
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
	h := start(t, db, deleted)
	h.accept(t, deletion("e1", "u1"))
	_, err := db.Reader.ExecContext(t.Context(),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
	h.accept(t, deletion("e2", "u2"))
}

func TestThousandsOfDeletionsInOneRequestAreStoredTogether(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deleted, func(o *queue.Options) { o.Workers = 1 })
		const many = 1200
		deletions := make([]event.Deletion, many)
		for i := range deletions {
			deletions[i] = deletion(fmt.Sprint("e", i), fmt.Sprint("u", i))
		}
		receipt, err := h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Accepted: many}, receipt)
		receipt, err = h.Accept(t.Context(), deletions)
		require.NoError(t, err)
		require.Equal(t, event.Receipt{Duplicates: many}, receipt)
	})
}

func TestASenderThatHangsUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	h := start(t, databasetest.OpenMigrated(t, url), deleted)
	unlock := lockJobs(t, url)

	gone, hangUp := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var stays, leaves error
	group.Go(func() { _, leaves = h.Accept(gone, []event.Deletion{deletion("e1", "u1")}) })
	group.Go(func() { _, stays = h.Accept(t.Context(), []event.Deletion{deletion("e2", "u2")}) })
	hangUp()
	go unlock()
	group.Wait()
	require.NoError(t, stays)
	require.Equal(t, fault.Unavailable, fault.KindOf(leaves))
}

func TestAStoppedQueueTakesNothing(t *testing.T) {
	t.Parallel()
	h := start(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deleted)
	h.stop(t)
	_, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestNothingToStoreIsStoredAtOnce(t *testing.T) {
	t.Parallel()
	h := start(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), deleted)
	receipt, err := h.Accept(t.Context(), nil)
	require.NoError(t, err)
	require.Zero(t, receipt)
}

func TestConflictingRepeats(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, deleted), operator(t, db)
		h.accept(t, deletion("e1", "u1"), unusable("e2"))
		h.waitState(t, "e1", "completed")

		t.Run("the same user once more is a duplicate, also when the id is unusable", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1"), unusable("e2")})
			require.NoError(t, err)
			require.Equal(t, event.Receipt{Duplicates: 2}, receipt)
		})
		t.Run("a repeat whose id names nobody is held for that", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := h.Accept(t.Context(), []event.Deletion{unusable("e1")})
			require.NoError(t, err)
			require.Equal(t, event.Receipt{Accepted: 1, Held: 1}, receipt)
			found := 0
			for r, err := range d.List(t.Context(), queue.Filter{State: queue.StateHeld, Reason: event.HoldUnusableID}) {
				require.NoError(t, err)
				require.Equal(t, unusable("").UnusableID, r.UnusableID)
				found++
			}
			require.Equal(t, 2, found)
		})
		t.Run("an operator's command tells them apart as well", func(t *testing.T) { //nolint:paralleltest // one step after the other
			accept := d.Acceptor(false).Accept
			receipt, err := accept(t.Context(), []event.Deletion{deletion("e1", "u1"), deletion("e1", "u2"), deletion("e1", "u2")})
			require.NoError(t, err)
			require.Equal(t, event.Receipt{Accepted: 1, Held: 1, Duplicates: 2}, receipt)
		})
		t.Run("whom a forgotten event named is not known, so its repeats are duplicates", func(t *testing.T) { //nolint:paralleltest // one step after the other
			n, err := d.Forget(t.Context(), "u1")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			receipt, err := h.Accept(t.Context(), []event.Deletion{deletion("e1", "u1")})
			require.NoError(t, err)
			require.Equal(t, event.Receipt{Duplicates: 1}, receipt)
		})
		attempts, _ := h.applier.seen()
		require.Len(t, attempts, 1, "nothing held was tried")
	})
}

func TestAnApprovedConflict(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: gone}
		h, d := start(t, db, deletedAda, verifying(v, time.Millisecond)), operator(t, db)
		h.accept(t, deletion("e1", "u1"), deletion("e1", "u2"))
		held := d.list(t, queue.Filter{State: queue.StateHeld})
		require.Len(t, held, 1)
		require.NoError(t, d.Approve(t.Context(), held[0].ID))

		t.Run("is carried out and verified for itself", func(t *testing.T) {
			attempts := h.applier.wait(t, 2)
			require.ElementsMatch(t, []string{"u1", "u2"}, []string{attempts[0].ExternalID, attempts[1].ExternalID})
			attempts = v.wait(t, 2)
			require.ElementsMatch(t, []string{"u1", "u2"}, []string{attempts[0].ExternalID, attempts[1].ExternalID})
		})
	})
}
