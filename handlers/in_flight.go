package handlers

import (
	"container/list"
	"sync"
)

// inFlight bounds how many requests are at something at once. Nobody is kept
// out: the one that has been at it for longest makes room.
type inFlight struct {
	limit int

	mu     sync.Mutex
	oldest *list.List // of *waiting
}

// waiting is one request.
type waiting struct {
	interrupt   func()
	interrupted bool
	element     *list.Element // nil when it does not count any more
}

func newInFlight(limit int) *inFlight { return &inFlight{limit: limit, oldest: list.New()} }

// enter counts a request until leave. interrupt makes it end soon; it is called
// at most once, not after leave, and must not wait.
func (f *inFlight) enter(interrupt func()) *waiting {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.oldest.Len() >= f.limit {
		victim, _ := f.oldest.Front().Value.(*waiting)
		f.forget(victim)
		victim.interrupted = true
		victim.interrupt()
	}
	w := &waiting{interrupt: interrupt}
	w.element = f.oldest.PushBack(w)
	return w
}

func (f *inFlight) leave(w *waiting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(w)
}

func (f *inFlight) interrupted(w *waiting) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return w.interrupted
}

func (f *inFlight) forget(w *waiting) {
	if w.element != nil {
		f.oldest.Remove(w.element)
		w.element = nil
	}
}
