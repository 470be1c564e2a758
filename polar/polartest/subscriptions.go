package polartest

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

// listedSubscription is Polar's Subscription.
type listedSubscription struct {
	subscriptionData

	CustomerID string       `json:"customer_id"`
	Customer   customerData `json:"customer"`
	EndedAt    *time.Time   `json:"ended_at"`
}

// EndSubscriptions ends those that Customer.KeepSubscriptions has kept, as whoever
// looks after them in Polar's dashboard does.
func (s *Server) EndSubscriptions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, customer := range s.customers.former {
		customer.KeepSubscriptions = false
	}
}

// DropFilter makes all lists drop a filter, as Polar drops each that it does not
// know: whoever sends it gets everybody's.
func (s *Server) DropFilter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unknown[name] = true
}

// listSubscriptions answers one page of the subscriptions of all customers, deleted
// ones too: mu is held.
func (s *Server) listSubscriptions(query url.Values) answer {
	page, limit, problem := paging(query)
	if problem != nil {
		return *problem
	}
	for _, id := range query["customer_id"] {
		if !isUUID(id) {
			return invalidRequest("uuid_parsing", "query", "customer_id", uuidMessage(id), id)
		}
	}
	active, ok := parseBool(query, "active")
	if !ok {
		return invalidRequest("bool_parsing", "query", "active", "Input should be a valid boolean, unable to interpret input", last(query, "active"))
	}
	carries := metadataFilter(query)
	all := s.subscriptions(func(c *Customer) bool {
		return (carries == nil || carries(c.SubscriptionMetadata)) && (!query.Has("customer_id") || slices.Contains(query["customer_id"], c.ID))
	})
	found := slices.DeleteFunc(all, func(one listedSubscription) bool { return query.Has("active") && active != (one.EndedAt == nil) })
	return pageOf(found, page, limit, func(one listedSubscription) any { return one })
}

// subscriptions returns those of the customers who are wanted. Those of a deleted
// customer have ended, unless they are kept. mu is held.
func (s *Server) subscriptions(wanted func(*Customer) bool) []listedSubscription {
	var all []listedSubscription
	for i, customer := range slices.Concat(s.customers.former, s.customers.by("created_at")) {
		if !wanted(customer) {
			continue
		}
		for _, one := range stateJSON(s.options.OrganizationID, customer).ActiveSubscriptions {
			listed := listedSubscription{subscriptionData: one, CustomerID: customer.ID, Customer: customerJSON(s.options.OrganizationID, customer)}
			listed.ID = fmt.Sprintf("5ab5c000-0000-4000-8000-%012x", len(all)+1)
			if i < len(s.customers.former) && !customer.KeepSubscriptions {
				ended := s.options.Now().UTC()
				listed.Status, listed.EndsAt, listed.EndedAt = "canceled", &ended, &ended
			}
			all = append(all, listed)
		}
	}
	return all
}
