package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/polar"
)

// maxRestarts bounds how often reading goes back because the list changed.
const maxRestarts = 1000

// errUnstableList says that the list cannot be read.
var errUnstableList = errors.New("the list of customers at Polar changes faster than it can be read; try again later")

// position is how far the list of customers is read. Customers are told apart
// by when they were made, which is the list's order, and by id where several
// have the same timestamp.
type position struct {
	// Next is the index in the list from which to read on: that of the last
	// customer read, so that each page shows that nothing was skipped.
	Next int `json:"next"`
	// Last is when the last one read was made, and SameTime are the ids of all
	// that were made then and are read.
	Last     time.Time `json:"last"`
	SameTime []string  `json:"same_time,omitempty"`
}

// unread says whether the customer is not read yet.
func (p position) unread(c polar.ListedCustomer) bool {
	return c.CreatedAt.After(p.Last) || c.CreatedAt.Equal(p.Last) && !slices.Contains(p.SameTime, c.ID)
}

// read notes that the customer was read.
func (p *position) read(c polar.ListedCustomer) {
	if !c.CreatedAt.Equal(p.Last) {
		p.Last, p.SameTime = c.CreatedAt, nil
	}
	p.SameTime = append(p.SameTime, c.ID)
}

// advance moves on after a page from start to end. The next page has to have
// all that were made together with the last one, because nothing says in which
// order those are, unless they fill pages.
func (p *position) advance(start, end int) {
	p.Next = max(end-len(p.SameTime), start)
	if page, limit := pageWith(p.Next); page*limit <= end {
		p.Next = max(end-1, 0)
	}
}

// pageWith returns the page of at most polar.MaxPage customers that has the one
// with the index in it and reaches as far behind it as possible. Pages begin at
// multiples of their size only, so the size varies.
func pageWith(index int) (page, limit int) {
	end := 0
	for size := polar.MaxPage; size > 0; size-- {
		if reach := index/size*size + size; reach > end {
			page, limit, end = index/size+1, size, reach
		}
	}
	return page, limit
}

// read reads all customers and asks about them in bulk. Each page must begin
// with customers that were read before: if it does not, some were deleted
// meanwhile, all behind them have moved, and reading goes back.
func (s *Sweeper) read(ctx context.Context, current *sweep, limits Limits) error {
	for restarts := 0; restarts < maxRestarts; {
		page, limit := pageWith(current.Position.Next)
		found, err := s.list(ctx, page, limit)
		if err != nil {
			return err
		}
		start := (page - 1) * limit
		if start > 0 && (len(found.Customers) == 0 || current.Position.unread(found.Customers[0])) {
			current.Position.Next = max(start-polar.MaxPage, 0)
			restarts++
			continue
		}
		candidates, err := s.candidates(ctx, current, found.Customers)
		if err != nil {
			return err
		}
		end := start + len(found.Customers)
		current.Position.advance(start, end)
		if end >= found.Total {
			current.phase = phaseChecking
			if mapping := &current.Counts.Mapping; s.options.IsUsers != nil {
				mapping.Total, mapping.At = mapping.Counted(), s.options.Now()
			}
		}
		if err := s.store.save(ctx, *current, candidates); err != nil {
			return err
		}
		s.options.OnProgress(Progress{Done: current.Counts.Read, Total: max(found.Total, current.Counts.Read)})
		if err := limits.check(current.Counts, max(found.Total, current.Counts.Asked)); err != nil || current.phase == phaseChecking {
			return err
		}
	}
	return errUnstableList
}
