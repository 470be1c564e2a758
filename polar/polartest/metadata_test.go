package polartest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// listed asks a list for that metadata and returns whose the items are, and how many
// of their customers are deleted.
func listed(t *testing.T, server *polartest.Server, path, name, value string) (customers []string, deleted int) {
	t.Helper()
	response, body := call(t, server, "GET", path+"?"+url.Values{name: {value}}.Encode(), good)
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	type customer struct {
		ID        string  `json:"id"`
		DeletedAt *string `json:"deleted_at"`
	}
	var found struct {
		Items []struct {
			customer

			Customer customer `json:"customer"`
		} `json:"items"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &found))
	for _, item := range found.Items {
		if item.Customer.ID == "" {
			item.Customer = item.customer
		}
		customers = append(customers, item.Customer.ID)
		if item.Customer.DeletedAt != nil {
			deleted++
		}
	}
	return customers, deleted
}

func TestListsAreFilteredByMetadata(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	carries := func(value any) map[string]any { return map[string]any{"userId": value, "plan": "pro"} }
	own := server.AddCustomer(polartest.Customer{Metadata: carries("42")}).ID
	number := server.AddCustomer(polartest.Customer{Metadata: carries(42)}).ID
	subscribed := server.AddCustomer(polartest.Customer{ActiveSubscriptions: 1, SubscriptionMetadata: carries("42")}).ID
	ordered := server.AddCustomer(polartest.Customer{Orders: []map[string]any{carries("42"), nil}}).ID
	server.AddCustomer(polartest.Customer{ExternalID: "another", Metadata: carries("43"), ActiveSubscriptions: 1, Orders: []map[string]any{{}}})

	for path, want := range map[string][]string{"/v1/customers/": {own, number}, "/v1/subscriptions/": {subscribed}, "/v1/orders/": {ordered}} {
		t.Run(path+" compares values as text", func(t *testing.T) {
			t.Parallel()
			found, deleted := listed(t, server, path, "metadata[userId]", "42")
			require.ElementsMatch(t, want, found)
			require.Zero(t, deleted)
		})
		t.Run(path+" drops a parameter that it does not know", func(t *testing.T) {
			t.Parallel()
			everybody, _ := listed(t, server, path, "x", "y")
			found, _ := listed(t, server, path, "metadata.userId", "42")
			require.ElementsMatch(t, everybody, found)
			require.Greater(t, len(found), len(want))
		})
	}
	t.Run("a filter can be made unknown", func(t *testing.T) {
		t.Parallel()
		other := polartest.Start(t, polartest.Options{})
		other.AddCustomer(polartest.Customer{ExternalID: "another"})
		other.DropFilter("metadata[userId]")
		found, _ := listed(t, other, "/v1/customers/", "metadata[userId]", "42")
		require.Len(t, found, 1)
	})
}

func TestOrdersAndSubscriptionsOfDeletedCustomersStay(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	mine := map[string]any{"userId": "user_1"}
	id := server.AddCustomer(polartest.Customer{Metadata: mine, ActiveSubscriptions: 1, SubscriptionMetadata: mine, Orders: []map[string]any{mine}}).ID
	response, _ := call(t, server, "GET", "/v1/customers/"+id+"/state", good)
	require.Equal(t, http.StatusOK, response.StatusCode)
	response, _ = call(t, server, "DELETE", "/v1/customers/"+id+"?anonymize=true", good)
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	for path, want := range map[string]int{"/v1/customers/": 0, "/v1/subscriptions/": 1, "/v1/orders/": 1} {
		found, deleted := listed(t, server, path, "metadata[userId]", "user_1")
		require.Len(t, found, want, path)
		require.Equal(t, want, deleted, path)
	}
}

func TestOrdersNeedAScopeOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AllowToken("without", polartest.TokenWithoutOrders)
	for path, want := range map[string]int{"/v1/orders/": http.StatusForbidden, "/v1/subscriptions/": http.StatusOK, "/v1/customers/": http.StatusOK} {
		response, _ := call(t, server, "GET", path, "Authorization: Bearer without")
		require.Equal(t, want, response.StatusCode, path)
	}
}
