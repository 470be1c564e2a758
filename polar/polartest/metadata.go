package polartest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// orderData is Polar's Order.
type orderData struct {
	ID          string         `json:"id"`
	CreatedAt   time.Time      `json:"created_at"`
	ModifiedAt  *time.Time     `json:"modified_at"`
	Status      string         `json:"status"`
	Paid        bool           `json:"paid"`
	TotalAmount int            `json:"total_amount"`
	Currency    string         `json:"currency"`
	Metadata    map[string]any `json:"metadata"`
	CustomerID  string         `json:"customer_id"`
	Customer    customerData   `json:"customer"`
}

// listOrders answers one page of the orders of all customers, deleted ones too: mu is
// held.
func (s *Server) listOrders(query url.Values) answer {
	page, limit, problem := paging(query)
	if problem != nil {
		return *problem
	}
	carries := metadataFilter(query)
	found := []orderData{}
	for _, customer := range slices.Concat(s.customers.former, s.customers.by("created_at")) {
		for i, metadata := range customer.Orders {
			if carries != nil && !carries(metadata) {
				continue
			}
			found = append(found, orderData{
				ID: fmt.Sprintf("04de4000-0000-4000-8000-%012x", i+1), CreatedAt: customer.CreatedAt.UTC(), Status: "paid", Paid: true, TotalAmount: 1000, Currency: "usd",
				Metadata: orEmpty(metadata), CustomerID: customer.ID, Customer: customerJSON(s.options.OrganizationID, customer),
			})
		}
	}
	return pageOf(found, page, limit, func(o orderData) any { return o })
}

// metadataFilter is what metadata[KEY]=VALUE asks for, nil when nothing does. PostgreSQL
// compares the values as text: the number 42 and the string "42" are the same.
func metadataFilter(query url.Values) func(metadata map[string]any) bool {
	wanted := map[string][]string{}
	for name, values := range query {
		key, begins := strings.CutPrefix(name, "metadata[")
		if key, ends := strings.CutSuffix(key, "]"); begins && ends {
			wanted[key] = values
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return func(metadata map[string]any) bool {
		for key, values := range wanted {
			value, ok := metadata[key]
			if !ok || !slices.Contains(values, fmt.Sprint(value)) {
				return false
			}
		}
		return true
	}
}
