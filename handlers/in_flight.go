package handlers

import (
	"container/list"
	"sync"
)

// inFlight bounds how many requests are at something at once. Nobody is kept
// out: the one that has been at it for longest is interrupted.
type inFlight struct {
	limit int

	mu       sync.Mutex
	requests *list.List // of *inFlightRequest, the oldest first
}

type inFlightRequest struct {
	interrupt   func()
	interrupted bool
	element     *list.Element // nil when it does not count any more
}

func newInFlight(limit int) *inFlight { return &inFlight{limit: limit, requests: list.New()} }

// enter counts a request until leave. interrupt makes it end soon; it is called
// at most once, not after leave, and must not wait.
func (f *inFlight) enter(interrupt func()) *inFlightRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.requests.Len() >= f.limit {
		oldest, _ := f.requests.Front().Value.(*inFlightRequest)
		f.remove(oldest)
		oldest.interrupted = true
		oldest.interrupt()
	}
	r := &inFlightRequest{interrupt: interrupt}
	r.element = f.requests.PushBack(r)
	return r
}

func (f *inFlight) leave(r *inFlightRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(r)
}

func (f *inFlight) interrupted(r *inFlightRequest) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.interrupted
}

func (f *inFlight) remove(r *inFlightRequest) {
	if r.element != nil {
		f.requests.Remove(r.element)
		r.element = nil
	}
}
