package polartest

import "slices"

// faults is the script of what goes wrong. Server.mu guards it.
type faults struct {
	planned []planned
	always  func(Entry) Fault
}

// planned is a fault for the next few calls.
type planned struct {
	operation Operation // OperationNone: whatever it is
	calls     int
	fault     Fault
}

// FailNext makes the next n calls fail, after those of earlier FailNext.
func (s *Server) FailNext(n int, fault Fault) { s.FailNextOf(OperationNone, n, fault) }

// FailNextOf makes the next n calls of one operation fail; others pass it by.
func (s *Server) FailNextOf(operation Operation, n int, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 {
		s.faults.planned = append(s.faults.planned, planned{operation, n, fault})
	}
}

// SetFault makes every call fail that FailNext leaves, until ClearFaults.
func (s *Server) SetFault(fault Fault) {
	s.SetFaultFunc(func(Entry) Fault { return fault })
}

// SetFaultFunc asks choose at every call that FailNext leaves, until
// ClearFaults; the zero Fault is none. The Entry has what is known when a call
// arrives: by Seq a Polar flaps, by ExternalID only one customer is odd. It is
// called with the Server locked and must not call its methods.
func (s *Server) SetFaultFunc(choose func(Entry) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.always = choose
}

// ClearFaults repairs everything.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults{}
}

// next returns what goes wrong with the call that has just arrived.
func (f *faults) next(entry Entry) Fault {
	for i := range f.planned {
		plan := &f.planned[i]
		if plan.operation != OperationNone && plan.operation != entry.Operation {
			continue
		}
		fault := plan.fault
		if plan.calls--; plan.calls == 0 {
			f.planned = slices.Delete(f.planned, i, i+1)
		}
		return fault
	}
	if f.always != nil {
		return f.always(entry)
	}
	return Fault{}
}
