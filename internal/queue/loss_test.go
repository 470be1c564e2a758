package queue_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// losing is what an attempt saw of a customer who has so much to lose.
func losing(seen deletion.Observed, subscriptions, benefits int) deletion.Observed {
	seen.Loss = &deletion.Loss{ActiveSubscriptions: subscriptions, GrantedBenefits: benefits}
	return seen
}

// holds is a lookup that ends in front of a human.
func holds(seen deletion.Observed) apply {
	return func(context.Context, deletion.Attempt, deletion.Journal) (deletion.Observed, deletion.Decision) {
		return seen, deletion.Hold{Reason: deletion.HoldTeam}
	}
}

func TestWhatIsLostStaysOnTheRow(t *testing.T) {
	t.Parallel()
	lost := losing(saw(ada(), answered(503)), 2, 3)
	another := ada()
	another.ID = "c-another"
	for name, tt := range map[string]struct {
		next          apply
		subscriptions int // -1 is not known
	}{
		"a later attempt finds nobody":                {sends(answered(404), doneNotFound()), 2},
		"a later attempt is not told":                 {sends(saw(ada(), answered(204)), doneDeleted()), 2},
		"a later attempt is told otherwise":           {sends(losing(saw(ada(), answered(204)), 1, 0), doneDeleted()), 1},
		"a later attempt finds another, and is told":  {sends(losing(saw(another, answered(204)), 0, 0), doneDeleted()), 0},
		"a later attempt finds another, and is not":   {sends(saw(another, answered(204)), doneDeleted()), -1},
		"a later attempt finds another, who is held":  {holds(losing(saw(another, answered(200)), 4, 0)), 4},
		"a later attempt holds the same, and is told": {holds(losing(saw(ada(), answered(200)), 5, 0)), 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				h := byHand(t, db, inTurn(sends(lost, serverError()), tt.next))
				h.accept(t, newDeletion("e1", "u1"))
				h.work(t, "e1")
				require.Equal(t, 2, *h.row(t, "e1").ActiveSubscriptions)
				require.Equal(t, 3, *h.row(t, "e1").GrantedBenefits)
				h.work(t, "e1")
				r := h.row(t, "e1")
				if tt.subscriptions < 0 {
					require.Nil(t, r.ActiveSubscriptions)
					require.Nil(t, r.GrantedBenefits)
					return
				}
				require.Equal(t, tt.subscriptions, *r.ActiveSubscriptions)
			})
		})
	}
}

func TestWhatIsLostIsOnDiskBeforeTheRequestIsSent(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		lost := deletion.Loss{ActiveSubscriptions: 2, GrantedBenefits: 3}
		h := byHand(t, db, func(ctx context.Context, _ deletion.Attempt, journal deletion.Journal) (deletion.Observed, deletion.Decision) {
			refusal := journal.BeginSend(ctx, deletion.Sending{Customer: ada(), Loss: &lost})
			require.Nil(t, refusal)
			return deletion.Observed{Sent: true}, serverError() // what was seen is forgotten, as after a crash
		})
		h.accept(t, newDeletion("e1", "u1"))
		h.work(t, "e1")
		require.Equal(t, 2, *h.row(t, "e1").ActiveSubscriptions)
		require.Equal(t, 3, *h.row(t, "e1").GrantedBenefits)
	})
}
