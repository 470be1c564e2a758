package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestAJobEndsInTheTransactionOfItsDecision(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		apply apply
		ends  bool
	}{
		"when the deletion is done": {deletes(), true},
		"when it is held":           {sends(answered(403), hold(deletion.HoldForbidden)), true},
		"not when it is retried":    {sends(answered(503), serverError()), false},
		"not when it waits":         {sends(answered(429), pause(time.Minute)), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h := byHand(t, db, tt.apply)
				h.accept(t, newDeletion("e1", "u1"), newDeletion("e2", "u2"))
				job, other := h.row(t, "e1").jobID, h.row(t, "e2").jobID
				h.work(t, "e1")
				require.Equal(t, tt.ends, h.jobState(t, job) == "", "River was not told anything yet")
				require.Equal(t, "available", h.jobState(t, other))
			})
		})
	}
}

func TestAJobThatHasNothingToDoEndsToo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		a := byHand(t, db, deletes())
		a.accept(t, newDeletion("e1", "u1"))
		job := a.row(t, "e1").jobID
		a.set(t, "generation", 2) // it was sent on its way again
		start(t, db, deletes())
		require.Eventually(t, func() bool { state := a.jobState(t, job); return state == "" || state == "completed" }, time.Minute, 10*time.Millisecond)
		require.Equal(t, deletion.StateWaiting, a.row(t, "e1").State)
	})
}
