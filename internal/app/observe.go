package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/notify"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// observeEvery is how old the gauges may be. They are refreshed beside the
// scrape, so that counting a large table never delays one.
const observeEvery = 5 * time.Second

// While counting takes long, it rests observeShare times as long, but at most
// observeAtMost, Prometheus' usual interval.
const (
	observeShare  = 20
	observeAtMost = 15 * time.Second
)

// observe refreshes the gauges of shared state until ctx ends.
func (a *App) observe(ctx context.Context) {
	for {
		begin := a.options.Now()
		a.refresh(ctx)
		took := a.options.Now().Sub(begin)
		again := time.NewTimer(max(observeEvery-took, min(observeShare*took, observeAtMost)))
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
}

func (a *App) refresh(running context.Context) {
	// A database that hangs must not hide that it does.
	ctx, cancel := context.WithTimeout(running, observeEvery)
	defer cancel()
	depth, err := a.queue.Depth(ctx)
	counted := err == nil
	if counted {
		for _, state := range deletion.PendingStates() {
			a.metrics.SetPending(state, depth.Pending[state])
		}
		a.metrics.SetOldestWaiting(depth.OldestWaiting)
	}
	a.logRefresh(running, err)
	paused, _, err := a.limiter.Pause(ctx)
	if err == nil {
		a.metrics.SetPolarPaused(paused)
		if counted && a.notifier != nil {
			a.notify(depth, paused)
		}
	}
	a.logRefresh(running, err)
	byOperator, err := a.queue.Paused(ctx)
	if err == nil {
		a.metrics.SetOperatorPaused(byOperator)
	}
	a.logRefresh(running, err)
	a.metrics.SetOtherOrganization(!a.binding.Open())
	customers, err := a.customers.LastMapping(ctx)
	if err == nil {
		a.metrics.SetPolarCustomers(customers.Present, customers.Foreign, customers.Absent, customers.At)
	}
	a.logRefresh(running, err)
	size, err := a.db.Size()
	if err == nil {
		a.metrics.SetDatabaseSize(size)
		a.metrics.SetDatabaseIntegrityOK(a.db.IntegrityOK())
	}
	a.logRefresh(running, err)
}

// notify passes on what was read for the gauges.
func (a *App) notify(depth queue.Depth, paused deletion.WaitReason) {
	state := notify.State{Held: map[string]int{}, Unauthorized: paused == deletion.WaitUnauthorized, OldestWaiting: depth.OldestWaiting}
	for reason, count := range depth.Held {
		state.Held[string(reason)] = count
	}
	for verification, count := range depth.Reappeared {
		word := string(deletion.StateReappeared)
		if verification == deletion.VerificationSubscriptionActive {
			word = string(verification)
		}
		state.Held[word] += count
	}
	a.notifier.Observe(state)
}

func (a *App) logRefresh(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		a.log.Error("gauges not refreshed", zap.Error(err))
	}
}
