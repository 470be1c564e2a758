package polar

import (
	"context"
	"net/url"
	"slices"
	"strconv"

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
	return get(ctx, c, OperationSearch, c.listURL("/v1/"+string(of)+"/", query), func(body []byte) (Matches, bool) {
		return readMatches(body, of, key, value)
	})
}

// match is one item of such a list. The members of a customer are its own only in the
// list of customers.
type match struct {
	customerJSON

	Metadata   map[string]jsontext.Value `json:"metadata"`
	CustomerID string                    `json:"customer_id"`
	Customer   *customerJSON             `json:"customer"`
}

// has reports whether the metadata has the value, a string, byte for byte: Polar takes
// the number 42 for "42".
func (m *match) has(key, value string) bool {
	var text string
	raw := m.Metadata[key]
	return raw.Kind() == '"' && json.Unmarshal(raw, &text) == nil && text == value
}

// of returns the customer whom it belongs to, nil when it does not say.
func (m *match) of(resource Resource) *customerJSON {
	switch {
	case resource == ResourceCustomers:
		return &m.customerJSON
	case m.Customer != nil && m.Customer.ID == m.CustomerID:
		return m.Customer
	}
	return nil
}

// readMatches reads a page, every item of which must have the metadata that was asked
// for.
func readMatches(body []byte, of Resource, key, value string) (Matches, bool) {
	items, total, ok := readItems[match](body)
	if !ok || len(items) != min(total, MaxPage) {
		return Matches{}, false
	}
	found := Matches{More: total > len(items)}
	if slices.ContainsFunc(items, func(m match) bool { return !m.has(key, value) }) {
		return Matches{FilterIgnored: true}, true
	}
	known := map[string]bool{}
	for _, item := range items {
		listed := item.of(of)
		if listed == nil {
			return Matches{}, false
		}
		c, complete := listed.customer()
		if !complete || CheckExternalID(c.ID) != nil {
			return Matches{}, false
		}
		if listed.DeletedAt == nil && !known[c.ID] {
			known[c.ID] = true
			found.Customers = append(found.Customers, ListedCustomer{c, listed.ExternalID})
		}
	}
	return found, true
}
