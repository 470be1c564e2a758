package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestOrphansGoToTheQueueOnceWhateverIsFoundAgain(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	orphans := h.populate(300, 100)
	queue := &keeper{}
	for range 2 {
		_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
		require.NoError(t, err)
	}
	require.Len(t, queue.kept, len(orphans))
	for id, d := range queue.kept {
		require.Equal(t, "clerk", d.Provider)
		require.True(t, strings.HasPrefix(id, "reconcile:"))
		require.Contains(t, orphans, d.ExternalID)
		require.Equal(t, d.ExternalID, d.UserID)
		require.WithinDuration(t, h.clock.now(), d.OccurredAt, time.Second)
		require.WithinDuration(t, h.clock.now(), d.ReceivedAt, time.Second)
	}
	// The customer comes back, under the same external id: that is another one.
	h.polar.AddCustomer(polartest.Customer{ExternalID: orphans[0], CreatedAt: start().Add(-2 * time.Hour)})
	_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
	require.NoError(t, err)
	require.Len(t, queue.kept, len(orphans)+1)
}

func TestOrphansAboutWhomSomebodyDecidedAreLeftAlone(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	orphans := h.populate(3000, 20)
	require.Greater(t, len(orphans), 100, "more than one chunk")
	queue := &keeper{left: map[string]deletion.Standing{
		orphans[0]:   {State: deletion.StateCancelled},
		orphans[1]:   {State: deletion.StateHeld, Reason: deletion.HoldTeam},
		orphans[140]: {State: deletion.StateWaiting},
	}}
	counts, err := h.sweeper(t).Sweep(t.Context(), limits(), func(ctx context.Context, found *reconcile.Found) error {
		listed := map[string]deletion.Standing{}
		require.NoError(t, found.Each(ctx, queue, func(o reconcile.Orphan) error {
			if o.LeftAlone != "" {
				listed[o.ExternalID] = deletion.Standing{State: o.LeftAlone, Reason: o.HoldReason}
			}
			return nil
		}))
		require.Equal(t, queue.left, listed)

		// What is decided after the list was printed counts.
		queue.left[orphans[2]] = deletion.Standing{State: deletion.StateCancelled}
		receipt, leftAlone, err := found.Apply(ctx, queue)
		require.NoError(t, err)
		require.Equal(t, deletion.Receipt{Accepted: len(orphans) - 4}, receipt)
		require.Equal(t, 4, leftAlone)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, len(orphans), counts.Orphans)
	require.Len(t, queue.kept, len(orphans)-4)
	for _, d := range queue.kept {
		require.NotContains(t, queue.left, d.ExternalID)
	}
}

func TestNobodyGoesToAQueueThatCannotSayWhomToLeaveAlone(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(300, 100)
	queue := &keeper{blind: errors.New("database is away")}
	_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
	require.ErrorIs(t, err, queue.blind)
	require.Empty(t, queue.kept)
}
