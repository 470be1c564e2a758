package handlers

import (
	"slices"
	"sync"
)

// inFlight bounds how many requests are at something at once. Nobody is kept
// out: the one that has been at it for longest is interrupted.
type inFlight struct {
	limit int

	mu       sync.Mutex
	requests []*inFlightRequest // the oldest first
}

type inFlightRequest struct {
	interrupt   func()
	interrupted bool
}

func newInFlight(limit int) *inFlight {
	return &inFlight{limit: limit, requests: make([]*inFlightRequest, 0, limit)}
}

// enter counts a request until leave. interrupt makes it end soon; it is called
// at most once, not after leave, and must not wait.
func (f *inFlight) enter(interrupt func()) *inFlightRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) >= f.limit {
		oldest := f.requests[0]
		f.requests = slices.Delete(f.requests, 0, 1)
		oldest.interrupted = true
		oldest.interrupt()
	}
	r := &inFlightRequest{interrupt: interrupt}
	f.requests = append(f.requests, r)
	return r
}

func (f *inFlight) leave(r *inFlightRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.requests, r); i >= 0 { // it was not interrupted
		f.requests = slices.Delete(f.requests, i, i+1)
	}
}

func (f *inFlight) interrupted(r *inFlightRequest) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.interrupted
}
