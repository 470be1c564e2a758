package queue

import (
	"context"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// Held is a deletion as an operator is asked about it: held for the reason since
// then. Held anew, for whatever reason, it is another question.
type Held struct {
	ID     int64
	Reason event.HoldReason
	Since  time.Time
}

// Approvables returns what is held now for the reason, or for any when it is "",
// and can be approved.
func (o *Operator) Approvables(ctx context.Context, reason event.HoldReason) ([]Held, error) {
	var found []Held
	for j, err := range o.each(ctx, selection{where: StateHeld.in()}) {
		if err != nil {
			return nil, err
		}
		h := heldAs(j, j.metadata())
		if j.held() && Approvable(h.Reason) && (reason == "" || h.Reason == reason) {
			found = append(found, h)
		}
	}
	return found, nil
}

func heldAs(j *job, m document) Held {
	h := Held{ID: j.id}
	m.read(keyHoldReason, &h.Reason)
	m.read(keyHeldAt, &h.Since)
	return h
}

// ApproveHeld approves those that are still held as they were chosen, and leaves
// all others alone. It works in batches, each of which stands whatever happens
// afterwards, and returns how many were approved.
func (o *Operator) ApproveHeld(ctx context.Context, chosen []Held) (approved int, err error) {
	for some := range slices.Chunk(chosen, approvedAtOnce) {
		began := time.Now() //nolint:forbidigo // only paces the batches
		ids := make([]int64, len(some))
		for i, h := range some {
			ids[i] = h.ID
		}
		n, err := o.act(ctx, ids, func(j *job, m document) (change, Action, error) {
			now := heldAs(j, m)
			asked := func(h Held) bool { return h.ID == now.ID && h.Reason == now.Reason && h.Since.Equal(now.Since) }
			if !j.held() || !slices.ContainsFunc(some, asked) {
				return changeNothing, Action{}, nil
			}
			return approve(j, m)
		})
		approved += n
		if err != nil {
			return approved, err
		}
		if err := rest(ctx, max(time.Since(began), shortestTurn)); err != nil { //nolint:forbidigo // only paces the batches
			return approved, err
		}
	}
	return approved, nil
}
