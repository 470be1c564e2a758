package queue_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stalls returns how long the machine kept a goroutine waiting that had nothing to wait
// for, since the call: what a bound in seconds must not count.
func stalls(t *testing.T) (lost func() time.Duration) {
	t.Helper()
	var total atomic.Int64
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		const step = 10 * time.Millisecond
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-time.After(step):
				total.Add(int64(time.Since(last) - step))
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() { close(stop); watching.Wait() })
	return func() time.Duration { return time.Duration(total.Load()) }
}
