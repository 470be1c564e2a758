package polartest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// page is what the tests read of a list.
type page struct {
	Items []struct {
		ExternalID *string   `json:"external_id"`
		Type       string    `json:"type"`
		CreatedAt  time.Time `json:"created_at"`
	} `json:"items"`
	Pagination struct {
		TotalCount int `json:"total_count"`
		MaxPage    int `json:"max_page"`
	} `json:"pagination"`
}

// list reads one page and returns it with its external ids.
func list(t *testing.T, server *polartest.Server, query string) (page, []string) {
	t.Helper()
	response, body := call(t, server, "GET", "/v1/customers/"+query, good)
	require.Equal(t, 200, response.StatusCode, body)
	var read page
	require.NoError(t, json.Unmarshal([]byte(body), &read))
	ids := []string{}
	for _, item := range read.Items {
		if item.ExternalID != nil {
			ids = append(ids, *item.ExternalID)
		}
	}
	return read, ids
}

func TestListPages(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	empty, ids := list(t, server, "")
	require.Empty(t, ids)
	require.Zero(t, empty.Pagination.MaxPage)

	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 205 {
		server.AddCustomer(polartest.Customer{ExternalID: fmt.Sprintf("u%03d", i), CreatedAt: start.Add(time.Duration(i) * time.Hour)})
	}
	first, ids := list(t, server, "")
	require.Equal(t, 205, first.Pagination.TotalCount)
	require.Equal(t, 21, first.Pagination.MaxPage)
	require.Len(t, ids, 10)
	require.Equal(t, "u204", ids[0]) // the newest first

	capped, ids := list(t, server, "?limit=1000&page=3&sorting=created_at")
	require.Equal(t, 3, capped.Pagination.MaxPage)
	require.Equal(t, []string{"u200", "u201", "u202", "u203", "u204"}, ids)
	_, ids = list(t, server, "?limit=100&page=4")
	require.Empty(t, ids)

	_, _ = call(t, server, "DELETE", external+"u000", good)
	_, ids = list(t, server, "?limit=2&sorting=created_at")
	require.Equal(t, []string{"u001", "u002"}, ids)
}

func TestListFiltersAndSorts(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "org/a", Name: "Zoe", Email: "b@x.test"})
	server.AddCustomer(polartest.Customer{ExternalID: "user_b", Name: "Adam", Email: "c@x.test", Type: "team"})
	server.AddCustomer(polartest.Customer{Name: "Mona", Email: "a@x.test"})
	for query, want := range map[string][]string{
		"?sorting=name":          {"user_b", "org/a"},
		"?sorting=-email":        {"user_b", "org/a"},
		"?query=ORG/":            {"org/a"},
		"?query=rg":              {},
		"?query=oe":              {"org/a"},
		"?query=x.test&sorting=": nil,
		"?email=B@x.test":        {"org/a"},
		"?email=x.test":          {},
	} {
		if want == nil {
			response, _ := call(t, server, "GET", "/v1/customers/"+query, good)
			require.Equal(t, 422, response.StatusCode)
			continue
		}
		_, ids := list(t, server, query)
		require.Equal(t, want, ids, query)
	}
	all, _ := list(t, server, "?sorting=email")
	require.Nil(t, all.Items[0].ExternalID)
	for _, query := range []string{"?page=0", "?limit=0", "?limit=x", "?page=-1"} {
		response, body := call(t, server, "GET", "/v1/customers/"+query, good)
		require.Equal(t, 422, response.StatusCode)
		require.Contains(t, body, `"error":"RequestValidationError"`)
	}
}

func TestGetCustomerAndState(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	added := server.AddCustomer(polartest.Customer{ExternalID: "u", Type: "team", Name: "Ada", ActiveSubscriptions: 2})
	for _, target := range []string{external + "u", "/v1/customers/" + added.ID} {
		response, body := call(t, server, "GET", target, good)
		require.Equal(t, 200, response.StatusCode)
		require.Contains(t, body, `"external_id":"u","email":"`+added.Email+`","email_verified":true,"type":"team","name":"Ada"`)
	}
	_, body := call(t, server, "GET", external+"u/state", good)
	var state struct {
		ID                  string           `json:"id"`
		ActiveSubscriptions []map[string]any `json:"active_subscriptions"`
		GrantedBenefits     []any            `json:"granted_benefits"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &state))
	require.Equal(t, added.ID, state.ID)
	require.Len(t, state.ActiveSubscriptions, 2)
	require.NotNil(t, state.GrantedBenefits)

	response, body := call(t, server, "GET", external+"nobody", good)
	require.Equal(t, 404, response.StatusCode)
	sameBytes(t, notFoundA, body)

	response, _ = call(t, server, "DELETE", "/v1/customers/"+added.ID, good)
	require.Equal(t, 204, response.StatusCode)
	require.Equal(t, 1, server.Deleted("u"))
}
