package queue_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestReplicasThatStoreTheSameRepeats(t *testing.T) {
	t.Parallel()
	t.Run("in opposite orders wait for one another", func(t *testing.T) {
		t.Parallel()
		db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
		h := byHand(t, db, deletes())
		_, err := db.Main.ExecContext(t.Context(), `
			CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END $$;
			CREATE TRIGGER slowly BEFORE INSERT ON polar_bridge_deletions FOR EACH ROW EXECUTE FUNCTION slowly()`)
		require.NoError(t, err)
		var there []deletion.Deletion
		for i := range 20 {
			there = append(there, newDeletion(fmt.Sprint("e", i), "u"))
		}
		back := slices.Clone(there)
		slices.Reverse(back)
		var storing sync.WaitGroup
		for _, deletions := range [][]deletion.Deletion{there, back} {
			storing.Go(func() {
				tx, err := db.Main.BeginTx(t.Context(), h.Store().Transaction())
				if err == nil {
					_, err = h.Store().Insert(t.Context(), tx, deletions, false, time.Now())
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		storing.Wait()
	})

	for _, code := range []string{"40P01", "40001"} {
		t.Run("try again after "+code, func(t *testing.T) {
			t.Parallel()
			db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
			h := byHand(t, db, deletes())
			databasetest.Undo(t, db.Main, "polar_bridge_deletions", code)
			receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Accepted: 1}, receipt)
		})
	}
}
