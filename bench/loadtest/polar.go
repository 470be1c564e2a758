package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const polarToken = "polar_oat_loadtest_0123456789" //nolint:gosec // of the local Polar only

// localPolar is a local Polar with its limit lifted.
type localPolar struct {
	*polartest.Server

	url     string
	deleted atomic.Int64

	mu       sync.Mutex
	last     time.Time
	arrivals map[string]time.Time // nil when nobody asks
}

func startPolar() (*localPolar, error) {
	const journal = 1000
	p := &localPolar{Server: polartest.New(polartest.Options{Token: polarToken, JournalLimit: journal})}
	p.OnDelete(func(e polartest.Entry) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last = e.Time
		if p.arrivals != nil {
			p.arrivals[e.ExternalID] = e.Time
		}
		if e.Committed {
			p.deleted.Add(1)
		}
	})
	url, err := p.Start("")
	p.url = url
	return p, err
}

// waitForDeleted waits until n customers have been deleted in all and returns
// when the last call came.
func (p *localPolar) waitForDeleted(ctx context.Context, n int64) (time.Time, error) {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for p.deleted.Load() < n {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("%d of %d customers deleted: %w", p.deleted.Load(), n, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, nil
}

// arrival returns when the DELETE for the id came, waiting for it.
func (p *localPolar) arrival(ctx context.Context, id string) (time.Time, error) {
	for {
		p.mu.Lock()
		at, ok := p.arrivals[id]
		p.mu.Unlock()
		if ok {
			return at, nil
		}
		if err := pause(ctx, 200*time.Microsecond); err != nil {
			return time.Time{}, fmt.Errorf("wait for the DELETE: %w", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
