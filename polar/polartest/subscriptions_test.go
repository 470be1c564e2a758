package polartest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// subscriptions asks for them and returns whose they are, and their states.
func subscriptions(t *testing.T, server *polartest.Server, query string) (customers, states []string) {
	t.Helper()
	response, body := call(t, server, "GET", "/v1/subscriptions/"+query, good)
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	var found struct {
		Items []struct {
			CustomerID string `json:"customer_id"`
			Status     string `json:"status"`
		} `json:"items"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &found))
	for _, one := range found.Items {
		customers, states = append(customers, one.CustomerID), append(states, one.Status)
	}
	return customers, states
}

func TestSubscriptionsOfDeletedCustomersAreListed(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	lives := server.AddCustomer(polartest.Customer{ExternalID: "lives", ActiveSubscriptions: 1}).ID
	ended := server.AddCustomer(polartest.Customer{ExternalID: "ended", ActiveSubscriptions: 1}).ID
	kept := server.AddCustomer(polartest.Customer{ExternalID: "kept", ActiveSubscriptions: 2, KeepSubscriptions: true}).ID
	for _, id := range []string{"ended", "kept"} {
		response, _ := call(t, server, "DELETE", "/v1/customers/external/"+id, good)
		require.Equal(t, http.StatusNoContent, response.StatusCode)
	}
	customers, states := subscriptions(t, server, "")
	require.Equal(t, []string{ended, kept, kept, lives}, customers)
	require.Equal(t, []string{"canceled", "active", "active", "active"}, states)
	active := func(id string) string {
		return "?" + url.Values{"customer_id": {id}, "active": {"true"}, "limit": {"1"}}.Encode()
	}
	for id, want := range map[string]int{lives: 1, ended: 0, kept: 1} {
		customers, _ = subscriptions(t, server, active(id))
		require.Len(t, customers, want)
	}

	server.EndSubscriptions()
	customers, _ = subscriptions(t, server, active(kept))
	require.Empty(t, customers)

	server.DropFilter("customer_id")
	customers, _ = subscriptions(t, server, active(ended))
	require.Equal(t, []string{lives}, customers, "everybody's")
}

func TestSubscriptionsNeedAScopeOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AllowToken("write", polartest.TokenWriteOnly)
	response, body := call(t, server, "GET", "/v1/subscriptions/", "Authorization: Bearer write")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Contains(t, body, `"insufficient_scope"`)
	for _, query := range []string{"?customer_id=x", "?active=x", "?limit=0", "?page=x"} {
		response, _ = call(t, server, "GET", "/v1/subscriptions/"+query, good)
		require.Equal(t, http.StatusUnprocessableEntity, response.StatusCode, query)
	}
}
