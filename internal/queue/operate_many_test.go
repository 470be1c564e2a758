package queue_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// fill stores n deletions that are held for the reason, without going through
// the queue.
func fill(t testing.TB, db *database.DB, n int, reason string) {
	t.Helper()
	statement := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO river_job (args, kind, max_attempts, queue, state, scheduled_at, metadata, unique_key, unique_states)
		SELECT jsonb('{"provider":"clerk","event_id":"%[2]s' || i || '","external_id":"u' || i || '","version":1}'), 'delete_customer', 32767, 'deletions',
		'scheduled', '2226-01-01 00:00:00', jsonb('{"hold_reason":"%[2]s","held_at":"2026-11-01T00:00:00Z","other":{"kept":1}}'), randomblob(32), 255 FROM n`
	if db.Dialect == database.Postgres {
		statement = `INSERT INTO river_job (args, kind, max_attempts, queue, state, scheduled_at, metadata, unique_key, unique_states)
			SELECT jsonb_build_object('provider', 'clerk', 'event_id', '%[2]s' || i, 'external_id', 'u' || i, 'version', 1), 'delete_customer', 32767, 'deletions',
			'scheduled', '2226-01-01 00:00:00Z', '{"hold_reason":"%[2]s","held_at":"2026-11-01T00:00:00Z","other":{"kept":1}}'::jsonb,
			sha256(('%[2]s' || i)::bytea), B'11111111' FROM generate_series(1, %[1]d) AS i`
	}
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(statement, n, reason))
	require.NoError(t, err)
}

func TestManyAreApprovedByTheirReasonAndWhatIsHeldLaterIsNot(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		const many = 450
		fill(t, db, many, "mass_deletion")
		fill(t, db, 3, "team")
		d := operator(t, db)
		chosen, err := d.Approvables(t.Context(), "mass_deletion")
		require.NoError(t, err)
		require.Len(t, chosen, many)
		fill(t, db, 2, "recreated") // after the question
		again := slices.Clone(chosen)
		for i := range again {
			again[i].Since = again[i].Since.Add(-time.Second) // released, and held anew
		}
		n, err := d.ApproveHeld(t.Context(), again)
		require.NoError(t, err)
		require.Zero(t, n)

		n, err = d.ApproveHeld(t.Context(), chosen)
		require.NoError(t, err)
		require.Equal(t, many, n)
		require.Len(t, d.list(t, queue.Filter{State: queue.StateHeld}), 5)
		require.Len(t, d.list(t, queue.Filter{State: queue.StateHeld, Reason: "team"}), 3)
		waiting := d.list(t, queue.Filter{State: queue.StateWaiting})
		require.Len(t, waiting, many)
		require.Equal(t, []event.HoldReason{"mass_deletion"}, waiting[0].Approved)
		require.Contains(t, operatorMetadata(t, db, waiting[0].ID), `"other"`, "what others keep there stays")

		all, err := d.Approvables(t.Context(), "")
		require.NoError(t, err)
		n, err = d.ApproveHeld(t.Context(), all)
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Len(t, d.logs.FilterMessage("operator action").All(), many+5)
	})
}

// leaveStored stores e1 with these columns; see leaveAs.
func leaveStored(t testing.TB, db *database.DB, columns string) {
	t.Helper()
	fill(t, db, 1, "e")
	setColumns(t, db, columns)
}

func operatorMetadata(t testing.TB, db *database.DB, id int64) string {
	t.Helper()
	cast := "json(metadata)"
	if db.Dialect == database.Postgres {
		cast = "metadata::text"
	}
	var text string
	require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT "+cast+" FROM river_job WHERE id = $1", id).Scan(&text))
	return text
}

func TestOperatorsWhoRaceEachOtherAndTheWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		const deletions, operators = 30, 4
		fill(t, db, deletions, "team")
		h := start(t, db, deleted)
		var group sync.WaitGroup
		var mutex sync.Mutex
		approved, cancelled := map[int64]int{}, map[int64]int{}
		for i := range operators {
			d := operator(t, db)
			held := d.list(t, queue.Filter{State: queue.StateHeld})
			group.Go(func() {
				for _, r := range held {
					var err error
					counts := approved
					if i%2 == 0 {
						err = d.Approve(t.Context(), r.ID)
					} else {
						counts = cancelled
						_, err = d.Cancel(t.Context(), r.ID, "race")
					}
					mutex.Lock()
					if err == nil {
						counts[r.ID]++
					}
					mutex.Unlock()
				}
			})
		}
		group.Wait()
		d := operator(t, db)
		require.Eventually(t, func() bool { return len(d.list(t, queue.Filter{State: queue.StateWaiting})) == 0 }, 30*time.Second, 50*time.Millisecond)
		attempts, _ := h.applier.seen()
		tried := map[string]int{}
		for _, a := range attempts {
			tried[a.EventID]++
		}
		for _, r := range d.list(t, queue.Filter{}) {
			require.LessOrEqual(t, tried[r.EventID], 1)
			require.Positive(t, approved[r.ID]+cancelled[r.ID], "somebody decided")
			require.Len(t, r.Actions, approved[r.ID]+cancelled[r.ID], "every success stands on the deletion")
			if approved[r.ID] == 0 {
				require.Zero(t, tried[r.EventID], "cancelled and never approved")
			}
		}
	})
}
