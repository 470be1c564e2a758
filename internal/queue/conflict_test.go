package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// listed are the chosen deletions.
func listed(t testing.TB, o *ops.Operator, f ops.Filter) []queue.Record {
	t.Helper()
	var all []queue.Record
	for r, err := range o.List(t.Context(), f) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

func TestConflictingRepeats(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := start(t, db, deletes())
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"), unusable("e2"))
		h.wait(t, "e1", deletion.StateDone)

		t.Run("the same user once more is a duplicate, also when the id is unusable", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1"), unusable("e2")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Duplicates: 2}, receipt)
		})
		t.Run("a repeat whose id names nobody is held for that", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := h.Accept(t.Context(), []deletion.Deletion{unusable("e1")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Accepted: 1, Held: 1}, receipt)
			found := listed(t, o, ops.Filter{State: deletion.StateHeld, Reason: deletion.HoldUnusableID})
			require.Len(t, found, 2)
			require.Equal(t, unusable("").UnusableID, found[0].UnusableID)
		})
		t.Run("an operator's command tells them apart as well", func(t *testing.T) { //nolint:paralleltest // one step after the other
			receipt, err := o.Acceptor(false).Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1"), newDeletion("e1", "u2"), newDeletion("e1", "u2")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Accepted: 1, Held: 1, Duplicates: 2}, receipt)
		})
		t.Run("whom a forgotten event named is not known, so its repeats are duplicates", func(t *testing.T) { //nolint:paralleltest // one step after the other
			n, err := o.Forget(t.Context(), "u1")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			receipt, err := h.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
			require.NoError(t, err)
			require.Equal(t, deletion.Receipt{Duplicates: 1}, receipt)
		})
		require.Equal(t, 1, h.applier.requests(), "nothing held was tried")
	})
}

func TestConflictingRepeatsOfOneTransaction(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := byHand(t, db, deletes())
		receipt, err := h.Accept(t.Context(), []deletion.Deletion{
			newDeletion("e1", "u1"), newDeletion("e1", "u2"), newDeletion("e1", "u2"), newDeletion("e1", "u1"), newDeletion("e1", "u3"),
		})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 3, Held: 2, Duplicates: 2}, receipt)
		held := listed(t, operator(t, h), ops.Filter{State: deletion.StateHeld})
		require.Len(t, held, 2)
		require.Equal(t, deletion.HoldConflict, held[0].HoldReason)
		waiting := listed(t, operator(t, h), ops.Filter{State: deletion.StateWaiting})
		require.Len(t, waiting, 1)
		require.Equal(t, "u1", waiting[0].ExternalID, "the first one named whom it is about")
		require.Len(t, h.logs.FilterMessage("deletion held").All(), 2)
	})
}

func TestAnApprovedConflict(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		v := &verifier{verify: gone}
		h := start(t, db, deletes(), verifying(v, time.Millisecond))
		o := operator(t, h)
		h.accept(t, newDeletion("e1", "u1"), newDeletion("e1", "u2"))
		held := listed(t, o, ops.Filter{State: deletion.StateHeld})
		require.Len(t, held, 1)
		requireRefused(t, o.Retry(t.Context(), held[0].ID), "approve it")
		require.NoError(t, o.Approve(t.Context(), held[0].ID, ""))

		t.Run("is carried out and verified for itself", func(t *testing.T) {
			attempts := h.applier.wait(t, 2)
			require.ElementsMatch(t, []string{"u1", "u2"}, []string{attempts[0].ExternalID, attempts[1].ExternalID})
			attempts = v.wait(t, 2)
			require.ElementsMatch(t, []string{"u1", "u2"}, []string{attempts[0].ExternalID, attempts[1].ExternalID})
		})
	})
}

func TestDryRunsAndDeletionsWaitForAServerOfTheirOwn(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		dry := byHand(t, db, nil, func(o *queue.Options) { o.DryRun = true })
		dry.accept(t, newDeletion("dry", "u1"))
		wet := start(t, db, deletes())
		wet.accept(t, newDeletion("wet", "u1"))
		wet.wait(t, "wet", deletion.StateDone)
		require.Equal(t, deletion.StateWaiting, wet.row(t, "dry").State)
		require.Equal(t, 1, wet.applier.requests())
		wet.accept(t, newDeletion("wet too", "u1"))
		wet.wait(t, "wet too", deletion.StateDone)
		attempts, _ := wet.applier.seen()
		require.Len(t, attempts, 2)
	})
}

func TestADryRunDoesNotCountAsSeen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		wet := start(t, db, sends(answered(503), serverError()))
		wet.accept(t, newDeletion("waits", "u1"))
		wet.waitTried(t, "waits")
		wet.stop(t)

		assessed := sends(answered(200), doneDryRun())
		dry := start(t, db, assessed, func(o *queue.Options) { o.DryRun = true })
		dry.accept(t, newDeletion("e1", "u1"))
		r := dry.wait(t, "e1", deletion.StateDone)
		require.Equal(t, deletion.OutcomeDryRun, r.Outcome)
		require.True(t, r.DryRun)
		require.Zero(t, r.sentAt, "nothing was sent that could have been done")
		dry.stop(t)
		for _, a := range dry.applier.wait(t, 1) {
			require.True(t, a.DryRun, "a real deletion was tried in a dry run")
		}

		again := start(t, db, deletes())
		again.accept(t, newDeletion("waits", "u1"))
		receipt, err := again.Accept(t.Context(), []deletion.Deletion{newDeletion("e1", "u1")})
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: 1}, receipt)
		for _, a := range again.applier.wait(t, 2) {
			require.False(t, a.DryRun)
		}
	})
}
