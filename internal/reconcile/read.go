package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/polar"
)

// maxRewinds bounds how often a sweep goes back because the list changed.
const maxRewinds = 1000

// errRestless says that the list cannot be read.
var errRestless = errors.New("the list of customers at Polar changes faster than it can be read; try again later")

// position is how far the list of customers is read. Customers are told apart
// by when they were made, which is the list's order, and by id where several
// were made at once.
type position struct {
	// Next is the index in the list from which to read on: that of the last
	// customer read, so that each page shows that nothing was skipped.
	Next int `json:"next"`
	// Last is when the last one read was made, and Tied are all that were
	// made then and are read.
	Last time.Time `json:"last"`
	Tied []string  `json:"tied,omitempty"`
}

// fresh says whether the customer is not read yet.
func (p position) fresh(c polar.ListedCustomer) bool {
	return c.CreatedAt.After(p.Last) || c.CreatedAt.Equal(p.Last) && !slices.Contains(p.Tied, c.ID)
}

// read notes that the customer was read.
func (p *position) read(c polar.ListedCustomer) {
	if !c.CreatedAt.Equal(p.Last) {
		p.Last, p.Tied = c.CreatedAt, nil
	}
	p.Tied = append(p.Tied, c.ID)
}

// advance moves on after a page from start to end. The next page has to have
// all that were made together with the last one, because nothing says in which
// order those are, unless they fill pages.
func (p *position) advance(start, end int) {
	p.Next = max(end-len(p.Tied), start)
	if page, limit := window(p.Next); page*limit <= end {
		p.Next = max(end-1, 0)
	}
}

// window returns the page of at most polar.MaxPage customers that has the one
// with the index in it and reaches as far behind it as possible. Pages begin at
// multiples of their size only, so the size varies.
func window(index int) (page, limit int) {
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
	for rewinds := 0; rewinds < maxRewinds; {
		page, limit := window(current.Position.Next)
		found, err := s.list(ctx, page, limit)
		if err != nil {
			return err
		}
		start := (page - 1) * limit
		if start > 0 && (len(found.Customers) == 0 || current.Position.fresh(found.Customers[0])) {
			current.Position.Next = max(start-polar.MaxPage, 0)
			rewinds++
			continue
		}
		suspects, err := s.suspects(ctx, current, found.Customers)
		if err != nil {
			return err
		}
		end := start + len(found.Customers)
		current.Position.advance(start, end)
		if end >= found.Total {
			current.phase = phaseAsking
		}
		if err := s.store.save(ctx, *current, suspects); err != nil {
			return err
		}
		s.options.OnProgress(Progress{Done: current.Counts.Read, Total: max(found.Total, current.Counts.Read)})
		if err := limits.check(current.Counts, max(found.Total, current.Counts.Asked)); err != nil || current.phase == phaseAsking {
			return err
		}
	}
	return errRestless
}

// suspects counts the customers of a page that were not read yet, and returns
// those of them whose users the provider does not list.
func (s *Sweeper) suspects(ctx context.Context, current *sweep, customers []polar.ListedCustomer) ([]polar.ListedCustomer, error) {
	var asked []polar.ListedCustomer
	for _, c := range customers {
		if !current.Position.fresh(c) {
			continue
		}
		current.Position.read(c)
		current.Counts.Read++
		switch {
		case c.ExternalID == "":
			current.Counts.WithoutID++
		case event.CheckExternalID(c.ExternalID) != nil, !s.options.Source.OwnsID(c.ExternalID), s.options.Pattern != nil && !s.options.Pattern.MatchString(c.ExternalID):
			current.Counts.Foreign++
		case s.options.Now().Sub(c.CreatedAt) < youngest:
			current.Counts.Young++
		default:
			asked = append(asked, c)
		}
	}
	var suspects []polar.ListedCustomer
	for chunk := range slices.Chunk(asked, s.options.Source.MaxIDs) {
		ids := make([]string, len(chunk))
		for i, c := range chunk {
			ids[i] = c.ExternalID
		}
		living, err := patiently(ctx, s, func(ctx context.Context) (map[string]bool, error) {
			return s.options.Source.Existing(ctx, ids)
		})
		if err != nil {
			return nil, fmt.Errorf("ask which users exist: %w", err)
		}
		for _, c := range chunk {
			if !living[c.ExternalID] {
				suspects = append(suspects, c)
			}
		}
	}
	current.Counts.Asked += len(asked)
	current.Counts.Suspects += len(suspects)
	return suspects, nil
}
