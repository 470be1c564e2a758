package queue

import (
	"context"
	"sync"
	"time"
)

const (
	// burstSize is how many webhooks share one transaction when there are more
	// than the disk takes one by one.
	burstSize = 8
	// burstOver is how long after such a transaction the next one is waited for.
	burstOver = 5 * time.Millisecond
	// maxYield is how long an attempt lets webhooks go first, at most: under any
	// load each worker begins four attempts a second, more than Polar permits all
	// of them together.
	maxYield = 250 * time.Millisecond
)

// ingestPriority tells workers when webhooks come in a burst: those have a sender
// that gives up, a deletion has not.
type ingestPriority struct {
	mutex sync.Mutex
	over  chan struct{} // closed when the burst is over, nil when there is none
	timer *time.Timer   // runs between two transactions
}

// beginBurst begins a transaction that so many webhooks share; end must be
// called at its end.
func (p *ingestPriority) beginBurst(webhooks int) (end func()) {
	if webhooks < burstSize {
		return func() {}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.over == nil {
		p.over = make(chan struct{})
	} else {
		p.timer.Stop()
	}
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.timer = time.AfterFunc(burstOver, p.endBurst)
	}
}

func (p *ingestPriority) endBurst() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.over != nil {
		close(p.over)
		p.over = nil
	}
}

// yield returns when there is no burst, or after maxYield, or with ctx.
func (p *ingestPriority) yield(ctx context.Context) {
	p.mutex.Lock()
	over := p.over
	p.mutex.Unlock()
	if over == nil {
		return
	}
	timeout := time.NewTimer(maxYield)
	defer timeout.Stop()
	select {
	case <-over:
	case <-timeout.C:
	case <-ctx.Done():
	}
}
