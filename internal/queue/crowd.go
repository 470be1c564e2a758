package queue

import (
	"context"
	"sync"
	"time"
)

const (
	// crowded is how many webhooks shared one transaction when there are more
	// than the disk takes one by one.
	crowded = 8
	// crowdGone is how long after such a transaction the next one is waited for.
	crowdGone = 5 * time.Millisecond
	// courtesy is how long an attempt lets webhooks go first, at most: under any
	// load each worker begins four attempts a second, more than Polar permits all
	// of them together.
	courtesy = 250 * time.Millisecond
)

// crowd tells workers when webhooks crowd before the disk: those have a sender
// that gives up, a deletion has not.
type crowd struct {
	mutex sync.Mutex
	gone  chan struct{} // closed when the crowd is over, nil when there is none
	timer *time.Timer   // runs between two transactions
}

// comes begins a transaction that so many webhooks share; passed must be called
// at its end.
func (c *crowd) comes(webhooks int) (passed func()) {
	if webhooks < crowded {
		return func() {}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.gone == nil {
		c.gone = make(chan struct{})
	} else {
		c.timer.Stop()
	}
	return func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.timer = time.AfterFunc(crowdGone, c.disperse)
	}
}

func (c *crowd) disperse() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.gone != nil {
		close(c.gone)
		c.gone = nil
	}
}

// letPass returns when no crowd is there, or after courtesy, or with ctx.
func (c *crowd) letPass(ctx context.Context) {
	c.mutex.Lock()
	gone := c.gone
	c.mutex.Unlock()
	if gone == nil {
		return
	}
	enough := time.NewTimer(courtesy)
	defer enough.Stop()
	select {
	case <-gone:
	case <-enough.C:
	case <-ctx.Done():
	}
}
