package queue_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func perHour(limit int) func(*queue.Options) {
	return func(o *queue.Options) { o.MaxDeletionsPerHour = limit }
}

// hourly is a queue by hand with a limit, and deletions that wait.
func hourly(t *testing.T, db *database.DB, limit, deletions int, apply apply) *harness {
	t.Helper()
	h := byHand(t, db, apply, perHour(limit))
	for i := range deletions {
		h.accept(t, newDeletion(fmt.Sprint("e", i+1), fmt.Sprint("u", i+1)))
	}
	return h
}

// passes works the deletion once and says whether its request was sent.
func (h *harness) passes(t *testing.T, eventID string) bool {
	t.Helper()
	before := h.applier.requests()
	h.work(t, eventID)
	return h.applier.requests() > before
}

func TestTheHourlyLimit(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, db *database.DB){
		"lets so many pass within an hour and no more, over restarts too": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 3, 5, deletes())
			require.True(t, h.passes(t, "e1"))
			h.clock.step(20 * time.Minute)
			require.True(t, h.passes(t, "e2"))
			require.True(t, h.passes(t, "e3"))
			require.False(t, h.passes(t, "e4"))
			require.Equal(t, deletion.HoldMassDeletion, h.row(t, "e4").HoldReason)
			require.Equal(t, "mass_deletion", h.line(t, "deletion held")["reason"])

			next := sharing(t, db, h.clock, deletes(), perHour(3)) // another process, after a restart
			next.release(t, "e4")
			require.False(t, next.passes(t, "e4"))
			h.clock.step(40*time.Minute - time.Microsecond)
			next.release(t, "e4")
			require.False(t, next.passes(t, "e4"))
			h.clock.step(time.Microsecond)
			next.release(t, "e4")
			require.True(t, next.passes(t, "e4"), "the first is an hour old")
			require.False(t, next.passes(t, "e5"), "the hour slides, it does not start over")
		},
		"is counted once for a deletion that is tried again": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 2, 3, sends(answered(503), serverError()))
			for range 5 {
				require.True(t, h.passes(t, "e1"))
			}
			require.True(t, h.passes(t, "e2"))
			require.True(t, h.passes(t, "e1"), "also when all places are taken")
			require.False(t, h.passes(t, "e3"))
		},
		// One that was counted, and reaches Polar an hour later, must not come on top
		// of that hour's.
		"counts a deletion from its last try": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 1, 2, sends(answered(503), serverError()))
			require.True(t, h.passes(t, "e1"))
			h.clock.step(59 * time.Minute)
			require.True(t, h.passes(t, "e1"))
			h.clock.step(2 * time.Minute)
			require.False(t, h.passes(t, "e2"))
			h.clock.step(59 * time.Minute)
			h.release(t, "e2")
			require.True(t, h.passes(t, "e2"))
			require.False(t, h.passes(t, "e1"), "its place is lost after an hour")
		},
		"keeps the place of one that Polar asked to wait": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 1, 2, sends(answered(429), pause(time.Minute)))
			require.True(t, h.passes(t, "e1"))
			require.False(t, h.passes(t, "e2"))
			require.True(t, h.passes(t, "e1"))
		},
		"is neither freed nor blocked by a clock that steps back": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 1, 2, deletes())
			require.True(t, h.passes(t, "e1"))
			h.clock.step(-365 * 24 * time.Hour)
			require.False(t, h.passes(t, "e2"))
			h.clock.step(time.Hour)
			h.release(t, "e2")
			require.True(t, h.passes(t, "e2"))
		},
		"does not count those who never bought anything, nor what was approved": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 1, 3, func(ctx context.Context, a deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
				counts := a.ExternalID != "u1" && !a.Approves(deletion.HoldMassDeletion, "")
				if refusal := journal.BeginSend(ctx, deletion.Sending{Counts: counts}); refusal != nil {
					return deletion.Observed{}, refusal
				}
				return answered(204), doneDeleted()
			})
			require.True(t, h.passes(t, "e1"))
			require.Zero(t, h.row(t, "e1").countedAt)
			require.True(t, h.passes(t, "e2"))
			require.False(t, h.passes(t, "e3"))
			require.NoError(t, operator(t, h).Approve(t.Context(), h.row(t, "e3").ID, ""))
			require.True(t, h.passes(t, "e3"))
			require.Zero(t, h.row(t, "e3").countedAt)
		},
		"lets nothing through when it cannot be counted": func(t *testing.T, db *database.DB) {
			h := hourly(t, db, 10, 1, deletes())
			r := h.row(t, "e1")
			_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_deletions RENAME COLUMN counted_at TO away")
			require.NoError(t, err)
			require.Positive(t, h.workJob(t, r))
			require.Zero(t, h.applier.requests())
			_, err = db.Main.ExecContext(t.Context(), "ALTER TABLE polar_bridge_deletions RENAME COLUMN away TO counted_at")
			require.NoError(t, err)
			r = h.row(t, "e1")
			require.Equal(t, deletion.StateWaiting, r.State)
			require.Equal(t, "database", r.Result)
			require.Zero(t, r.sentAt)
			require.True(t, h.passes(t, "e1"))
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, test)
		})
	}
}

// release takes a hold away, as an operator's retry does.
func (h *harness) release(t *testing.T, eventID string) {
	t.Helper()
	require.NoError(t, operator(t, h).Retry(t.Context(), h.row(t, eventID).ID))
}

// race works all deletions at once, each by another worker, on several replicas
// with a database handle of their own, and returns how many requests were sent.
func race(t *testing.T, address string, limit, deletions, replicas int) (requests int) {
	t.Helper()
	var all []*harness
	for range replicas {
		h := prepare(t, databasetest.OpenMigrated(t, address), deletes(), nil, perHour(limit))
		t.Cleanup(h.StartCommitter(context.WithoutCancel(t.Context())))
		all = append(all, h)
	}
	for i := range deletions {
		all[0].accept(t, newDeletion(fmt.Sprint("e", i), fmt.Sprint("u", i)))
	}
	var racing sync.WaitGroup
	for i := range deletions {
		r := all[0].row(t, fmt.Sprint("e", i))
		for _, h := range all { // each of them twice, as if River ran the jobs twice
			racing.Go(func() { h.workJob(t, r) })
		}
	}
	racing.Wait()
	for _, h := range all {
		requests += h.applier.requests()
	}
	depth, err := all[0].Depth(t.Context())
	require.NoError(t, err)
	require.Equal(t, deletions-requests, depth.Pending[deletion.StateHeld]+depth.Pending[deletion.StateWaiting], "nothing is lost")
	return requests
}

func TestWorkersWhoRaceForThePlacesOfAnHour(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 20} {
		t.Run(fmt.Sprint("get ", limit), func(t *testing.T) {
			t.Parallel()
			databasetest.EachURL(t, func(t *testing.T, address string) {
				require.Equal(t, limit, race(t, address, limit, 40, 2))
			})
		})
	}
	t.Run("get one of each hour, never two", func(t *testing.T) {
		t.Parallel()
		address := databasetest.Postgres(t)
		for range 5 {
			require.LessOrEqual(t, race(t, address, 1, 8, 2), 1)
			_, err := databasetest.OpenMigrated(t, address).Main.ExecContext(t.Context(), "DELETE FROM polar_bridge_deletions")
			require.NoError(t, err)
		}
	})
	t.Run("get no more whatever the server's default isolation is", func(t *testing.T) {
		t.Parallel()
		for _, isolation := range []string{"repeatable%20read", "serializable"} {
			address, err := url.Parse(databasetest.Postgres(t))
			require.NoError(t, err)
			address.RawQuery += "&default_transaction_isolation=" + isolation
			require.Equal(t, 5, race(t, address.String(), 5, 30, 2))
		}
	})
}
