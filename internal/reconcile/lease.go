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
	var renewing sync.WaitGroup
	renewing.Go(func() { s.renew(held, cancel) })
	return held, func() {
		cancel(nil)
		renewing.Wait()
		bounded, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		_ = s.store.release(bounded) // else the lease ends by itself
	}, nil
}

// renew renews the lease until ctx ends. A database that is away for as long as
// the lease lasts has lost it.
func (s *Sweeper) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	const perLease = 3
	ticker := time.NewTicker(s.options.Lease / perLease)
	defer ticker.Stop()
	for misses := 0; misses < perLease; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		claimed, err := s.store.claim(ctx)
		switch {
		case err != nil:
			misses++
		case claimed:
			misses = 0
		default:
			misses = perLease
		}
	}
	cancel(errLost)
}
