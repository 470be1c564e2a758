package polartest

import "time"

// past is who had an external id before it changed hands.
type past struct {
	customer *Customer // nil when nobody had it
	until    time.Time
}

// SetReplicaLag makes looking up one customer show what was true that long
// ago, as Polar does, which answers it from a replica; deletions are always of
// the present. It matters for changes made from now on as well as for those
// before.
func (s *Server) SetReplicaLag(lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicaLag = lag
}

// remember notes, before a change, who had the external id until now.
func (c *customers) remember(externalID string, now time.Time) {
	c.past[externalID] = past{c.byExternal[externalID], now}
}

// onReplica returns the customer with the external id as the replica knows it,
// nil when it knows none: mu is held. It remembers one change only.
func (s *Server) onReplica(externalID string) *Customer {
	before, changed := s.customers.past[externalID]
	if changed && s.options.Now().Before(before.until.Add(s.replicaLag)) {
		return before.customer
	}
	return s.customers.byExternal[externalID]
}
