package reconcile

import (
	"context"
	"sync"
	"time"
)

// hold makes this process the one that sweeps until release is called. The
// context it returns ends, with errLost as its cause, when another takes over.
func (s *Sweeper) hold(ctx context.Context) (held context.Context, release func(), err error) {
	claimed, err := s.store.claim(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !claimed {
		return nil, nil, ErrBusy
	}
	held, cancel := context.WithCancelCause(ctx)
	stop := make(chan struct{})
	var keeping sync.WaitGroup
	keeping.Go(func() { s.keep(held, stop, cancel) })
	return held, func() {
		close(stop)
		keeping.Wait()
		cancel(nil)
		bounded, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = s.store.release(bounded) // else the lease ends by itself
	}, nil
}

// keep renews the lease. A database that is away for as long as the lease lasts
// has lost it.
func (s *Sweeper) keep(ctx context.Context, stop <-chan struct{}, lost context.CancelCauseFunc) {
	const perLease = 3
	ticker := time.NewTicker(s.options.Lease / perLease)
	defer ticker.Stop()
	misses := 0
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
		claimed, err := s.store.claim(ctx)
		switch {
		case err == nil && claimed:
			misses = 0
		case err == nil, misses == perLease-1:
			lost(errLost)
			return
		default:
			misses++
		}
	}
}
