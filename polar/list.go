package polar

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// MaxPage is the most customers that Polar puts on a page; more are silently
// cut. https://polar.sh/docs/api-reference/customers/list
const MaxPage = 100

// maxListBody bounds a page: 100 customers, each with metadata of up to 50 keys
// and 500 characters, and an address.
const maxListBody = 8 << 20

// ListedCustomer is what is kept of a customer in a list: nothing that says who
// it is.
type ListedCustomer struct {
	Customer

	ExternalID string // the shop's id; "" when the customer has none
}

// Page is a page of the organization's customers, the oldest first.
type Page struct {
	Customers []ListedCustomer
	Total     int // how many customers there are on all pages
}

// ListCustomers reads a page, from 1, of so many customers, MaxPage at the
// most, in the order in which Polar made them: those that are made meanwhile
// come last. There is no cursor: a customer who is deleted meanwhile moves
// everybody behind by one. Polar answers from a replica.
//
// ResultFound comes with the Page, which is complete: it has what its place
// among Total asks for. Everything else is classified as for GetCustomer.
//
// https://polar.sh/docs/api-reference/customers/list
func (c *Client) ListCustomers(ctx context.Context, page, limit int) (Page, Answer, error) {
	limit = min(max(limit, 1), MaxPage)
	query := url.Values{"page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(limit)}, "sorting": {"created_at"}}
	return get(ctx, c, OperationList, c.listURL(customersPath, query), func(body []byte) (Page, bool) {
		return readPage(body, page, limit)
	})
}

// isList reports whether the operation reads a list.
func isList(operation string) bool {
	return operation == OperationList || operation == OperationSubscriptions || operation == OperationSearch
}

func (c *Client) listURL(path string, query url.Values) *url.URL {
	return c.url(path, path, query.Encode())
}

// readItems reads what is on a page of a list, and how much there is on all pages.
func readItems[T any](body []byte) (items []T, total int, ok bool) {
	var p struct {
		Items      []T `json:"items"`
		Pagination struct {
			Total *int `json:"total_count"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Items == nil || p.Pagination.Total == nil {
		return nil, 0, false
	}
	return p.Items, *p.Pagination.Total, true
}

// readPage reads a page out of an answer, and reports whether it is one and has
// as many customers as it must, in order.
func readPage(body []byte, page, limit int) (Page, bool) {
	items, total, ok := readItems[customerJSON](body)
	if want := max(min(limit, total-(page-1)*limit), 0); !ok || len(items) != want {
		return Page{}, false
	}
	found := Page{Total: total}
	var last time.Time
	for _, item := range items {
		c, complete := item.customer()
		if !complete || c.CreatedAt.Before(last) {
			return Page{}, false
		}
		last = c.CreatedAt
		found.Customers = append(found.Customers, ListedCustomer{c, item.ExternalID})
	}
	return found, true
}
