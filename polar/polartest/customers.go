package polartest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Customer is one customer of the organization.
type Customer struct {
	// ID is Polar's own id; AddCustomer makes one up when it is empty.
	ID string
	// ExternalID is the shop's id; a customer without one cannot be addressed by it.
	ExternalID string
	// Type is "individual" (also when empty) or "team".
	Type string
	// CreatedAt is now when it is zero.
	CreatedAt time.Time
	// Email is made up from the id when it is empty.
	Email string
	// Name may be empty.
	Name string
	// ActiveSubscriptions is how many subscriptions a deletion would end.
	ActiveSubscriptions int
	// KeepSubscriptions leaves them active when the customer is deleted, as Polar does
	// when the job that cancels them is lost.
	KeepSubscriptions bool
	// GrantedBenefits is how many benefits it would revoke.
	GrantedBenefits int
	// Forbidden answers 403 NotPermitted to whoever deletes this one: the token
	// is a person's, who may not manage customers of the organization.
	Forbidden bool
	// Members are the external ids of the members of a team.
	Members []string
	// Metadata are the customer's own, SubscriptionMetadata those of each of the
	// subscriptions; Orders are the metadata of each order. Values are strings, numbers
	// or booleans.
	Metadata, SubscriptionMetadata map[string]any
	Orders                         []map[string]any

	deletedAt *time.Time
}

// customers are the live ones. Server.mu guards them.
type customers struct {
	added      int
	past       map[string]past // by external id, what a replica that lags shows
	byID       map[string]*Customer
	byExternal map[string]*Customer
	former     []*Customer            // deleted ones that had subscriptions or orders
	sorted     map[string][]*Customer // by sorting, until something changes
}

// newCustomers returns none.
func newCustomers() customers {
	return customers{byID: map[string]*Customer{}, byExternal: map[string]*Customer{}, past: map[string]past{}}
}

// AddCustomer adds a customer, or replaces the live one with the same external
// id. The id of a deleted customer may be used again, as at Polar. It returns
// the customer with what was made up.
func (s *Server) AddCustomer(customer Customer) Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(customer)
}

// insert is AddCustomer: mu is held.
func (s *Server) insert(customer Customer) Customer {
	s.customers.added++
	customer.ID = cmp.Or(customer.ID, fmt.Sprintf("c0ffee00-0000-4000-8000-%012x", s.customers.added))
	customer.Type = cmp.Or(customer.Type, "individual")
	customer.Email = cmp.Or(customer.Email, customer.ID+"@example.com")
	customer.CreatedAt = cmp.Or(customer.CreatedAt, s.options.Now())
	customer.Members = slices.Clone(customer.Members)
	if former, ok := s.customers.byExternal[customer.ExternalID]; ok {
		s.customers.remove(former)
	}
	s.customers.remember(customer.ExternalID, s.options.Now())
	s.customers.add(&customer)
	return customer
}

// Customers returns the live customers, the oldest first.
func (s *Server) Customers() []Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Customer
	for _, customer := range s.customers.by("created_at") {
		all = append(all, *customer)
	}
	return all
}

// Exists reports whether there is a live customer with the external id.
func (s *Server) Exists(externalID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.customers.byExternal[externalID]
	return ok
}

// Deleted returns how often a customer with the external id was deleted,
// whether or not the client saw the answer.
func (s *Server) Deleted(externalID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deleted[externalID]
}

// add makes the customer live.
func (c *customers) add(customer *Customer) {
	c.byID[customer.ID] = customer
	if customer.ExternalID != "" {
		c.byExternal[customer.ExternalID] = customer
	}
	c.sorted = nil
}

// remove takes the customer away and frees its external id.
func (c *customers) remove(customer *Customer) {
	delete(c.byID, customer.ID)
	delete(c.byExternal, customer.ExternalID)
	for sorting, all := range c.sorted {
		c.sorted[sorting] = slices.DeleteFunc(all, func(other *Customer) bool { return other == customer })
	}
}

// by returns the customers in the order of a sorting that sortings knows.
// They are kept until somebody comes: whoever lists reads many pages.
func (c *customers) by(sorting string) []*Customer {
	if sorted, ok := c.sorted[sorting]; ok {
		return sorted
	}
	sorted := make([]*Customer, 0, len(c.byID))
	for _, customer := range c.byID {
		sorted = append(sorted, customer)
	}
	field, descending := strings.CutPrefix(sorting, "-")
	compare := sortings()[field]
	slices.SortFunc(sorted, func(a, b *Customer) int {
		order := cmp.Or(compare(a, b), cmp.Compare(a.ID, b.ID))
		if descending {
			return -order
		}
		return order
	})
	if c.sorted == nil {
		c.sorted = map[string][]*Customer{}
	}
	c.sorted[sorting] = sorted
	return sorted
}

// sortings are what customers can be sorted by.
func sortings() map[string]func(a, b *Customer) int {
	return map[string]func(a, b *Customer) int{
		"created_at": func(a, b *Customer) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"email":      func(a, b *Customer) int { return strings.Compare(a.Email, b.Email) },
		"name":       func(a, b *Customer) int { return strings.Compare(a.Name, b.Name) },
	}
}
