package polar

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Resource is what metadata can be searched of. The set is closed.
type Resource string

// What has metadata. Those of a checkout are merged into its customer's and copied to
// the subscription and to each order.
const (
	ResourceCustomers     Resource = "customers"
	ResourceSubscriptions Resource = "subscriptions" // needs the scope subscriptions:read
	ResourceOrders        Resource = "orders"        // needs the scope orders:read
)

// Resources lists every Resource, in the order in which they are searched.
func Resources() []Resource {
	return []Resource{ResourceCustomers, ResourceSubscriptions, ResourceOrders}
}

// Matches is what a search for metadata found.
type Matches struct {
	Customers []ListedCustomer // each once, without deleted ones
	// More says that there was more than Polar puts on a page.
	More bool
	// FilterIgnored says that something came back that does not have the metadata: Polar
	// drops a filter that it does not know, and returns everybody. Nothing else is told
	// then.
	FilterIgnored bool
}

// FindByMetadata asks for the customers of what has exactly that value, a string, in
// that key of its metadata. ResultFound comes with the Matches; everything else is
// classified as for GetCustomer. Polar answers from a replica.
//
// https://polar.sh/docs/api-reference/customers/list (metadata)
func (c *Client) FindByMetadata(ctx context.Context, of Resource, key, value string) (Matches, Answer, error) {
	query := url.Values{"metadata[" + key + "]": {value}, "limit": {strconv.Itoa(MaxPage)}}
	path := "/v1/" + string(of) + "/"
	found, answer, err := get(ctx, c, OperationSearch, c.url(path, path, query.Encode()), func(body []byte) (Matches, bool) {
		return readMatches(body, of, key, value)
	})
	if answer.Result == ResultNotFound {
		answer.Result = ResultUnexpected // a list is always there
	}
	return found, answer, err
}

// matchedCustomer is a customer in a list, or inside of what belongs to them.
type matchedCustomer struct {
	ID         string     `json:"id"`
	ExternalID string     `json:"external_id"`
	Owner      string     `json:"organization_id"`
	Type       string     `json:"type"`
	CreatedAt  time.Time  `json:"created_at"`
	DeletedAt  *time.Time `json:"deleted_at"`
}

// match is one item of such a list. The members of a customer are its own only in the
// list of customers.
type match struct {
	matchedCustomer

	Metadata   map[string]jsontext.Value `json:"metadata"`
	CustomerID string                    `json:"customer_id"`
	Customer   *matchedCustomer          `json:"customer"`
}

// has reports whether the metadata has the value, a string, byte for byte: Polar takes
// the number 42 for "42".
func (m *match) has(key, value string) bool {
	var text string
	raw := m.Metadata[key]
	return raw.Kind() == '"' && json.Unmarshal(raw, &text) == nil && text == value
}

// of returns the customer whom it belongs to, nil when it does not say.
func (m *match) of(resource Resource) *matchedCustomer {
	switch {
	case resource == ResourceCustomers:
		return &m.matchedCustomer
	case m.Customer != nil && m.Customer.ID == m.CustomerID:
		return m.Customer
	}
	return nil
}

func (c *matchedCustomer) listed() ListedCustomer {
	owner := printable(c.Owner)
	return ListedCustomer{
		Customer:   Customer{ID: printable(c.ID), Type: printable(c.Type), CreatedAt: c.CreatedAt, OrganizationID: owner},
		ExternalID: c.ExternalID, OrganizationID: owner,
	}
}

// readMatches reads a page, every item of which must have the metadata that was asked
// for.
func readMatches(body []byte, of Resource, key, value string) (Matches, bool) {
	var p struct {
		Items      []match `json:"items"`
		Pagination *struct {
			Total *int `json:"total_count"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Items == nil || p.Pagination == nil || p.Pagination.Total == nil {
		return Matches{}, false
	}
	if len(p.Items) != min(*p.Pagination.Total, MaxPage) {
		return Matches{}, false
	}
	found := Matches{More: *p.Pagination.Total > len(p.Items)}
	known := map[string]bool{}
	for i := range p.Items {
		if !p.Items[i].has(key, value) {
			return Matches{FilterIgnored: true}, true
		}
	}
	for i := range p.Items {
		c := p.Items[i].of(of)
		if c == nil || CheckExternalID(printable(c.ID)) != nil || printable(c.Type) != c.Type || c.CreatedAt.IsZero() {
			return Matches{}, false
		}
		if c.DeletedAt == nil && !known[c.ID] {
			known[c.ID] = true
			found.Customers = append(found.Customers, c.listed())
		}
	}
	return found, true
}
