package polartest

import (
	"context"
	"slices"
	"time"
)

// Entry is one call in the journal.
type Entry struct {
	// Seq counts the calls from 1.
	Seq int
	// Time is when the call arrived.
	Time time.Time
	// Method is the HTTP method.
	Method string
	// RawPath is the path as it was on the wire, still escaped, without the query.
	RawPath string
	// Operation is the endpoint that was hit, whatever came of it.
	Operation Operation
	// ExternalID is the decoded external id of the customer, or "".
	ExternalID string
	// Traceparent is the header of that name.
	Traceparent string
	// Anonymize says that the call asked to anonymize.
	Anonymize bool
	// Status is what was answered, 0 as long as, or if, there was no answer.
	Status int
	// Committed says that something was deleted, even if nobody was told.
	Committed bool
	// Fault is the name of the Fault that hit the call, or "".
	Fault string
}

// journal is what happened. Server.mu guards it.
type journal struct {
	limit   int
	calls   int
	of      map[Operation]int
	entries []*Entry
	waiters []*waiter
}

// waiter waits until its condition holds.
type waiter struct {
	holds func() bool
	done  chan struct{}
}

// add writes a call down and forgets the oldest ones.
func (j *journal) add(entry *Entry) {
	j.calls++
	if j.of == nil {
		j.of = make(map[Operation]int)
	}
	j.of[entry.Operation]++
	entry.Seq = j.calls
	j.entries = append(j.entries, entry)
	// Cut at twice the limit only, so that a call does not move all others.
	if j.limit > 0 && len(j.entries) >= 2*j.limit {
		j.entries = slices.Clone(j.entries[len(j.entries)-j.limit:])
	}
}

// wake ends the waits whose condition holds now.
func (j *journal) wake() {
	j.waiters = slices.DeleteFunc(j.waiters, func(w *waiter) bool {
		if !w.holds() {
			return false
		}
		close(w.done)
		return true
	})
}

// Journal returns the calls so far in the order of their arrival; at most the
// last Options.JournalLimit, if that is set. Calls under way are among them.
func (s *Server) Journal() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := s.journal.entries
	if s.journal.limit > 0 {
		entries = entries[max(0, len(entries)-s.journal.limit):]
	}
	copies := make([]Entry, len(entries))
	for i, entry := range entries {
		copies[i] = *entry
	}
	return copies
}

// Calls returns how many calls have arrived, forgotten ones included.
func (s *Server) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.calls
}

// CallsOf returns how many calls of one operation have arrived, forgotten ones
// included.
func (s *Server) CallsOf(operation Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.of[operation]
}

// OnDelete calls hook for every deletion of a customer that was tried, with
// its finished Entry, just before it is answered; nil ends that. Deletions
// whose client went away first are left out.
func (s *Server) OnDelete(hook func(Entry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDelete = hook
}

// WaitForCalls waits until n calls have arrived since the beginning, answered
// or not. It returns the context's error when that comes first.
func (s *Server) WaitForCalls(ctx context.Context, n int) error {
	return s.wait(ctx, func() bool { return s.journal.calls >= n })
}

// WaitForCallsOf is WaitForCalls for one operation.
func (s *Server) WaitForCallsOf(ctx context.Context, operation Operation, n int) error {
	return s.wait(ctx, func() bool { return s.journal.of[operation] >= n })
}

// WaitForDeleted waits until a customer with the external id was deleted. It
// returns the context's error when that comes first.
func (s *Server) WaitForDeleted(ctx context.Context, externalID string) error {
	return s.wait(ctx, func() bool { return s.deleted[externalID] > 0 })
}

// wait waits until holds, which is called with mu held.
func (s *Server) wait(ctx context.Context, holds func() bool) error {
	w := &waiter{holds, make(chan struct{})}
	s.mu.Lock()
	s.journal.waiters = append(s.journal.waiters, w)
	s.journal.wake()
	s.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.waiters = slices.DeleteFunc(s.journal.waiters, func(other *waiter) bool { return other == w })
	return ctx.Err()
}
