package polar_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestCustomersAreFoundByMetadata(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	mine, other := map[string]any{"user id": "a&b=c[1]"}, map[string]any{"user id": "A&b=c[1]"}
	want := map[polar.Resource]string{
		polar.ResourceCustomers:     server.AddCustomer(polartest.Customer{Metadata: mine, ExternalID: "x"}).ID,
		polar.ResourceSubscriptions: server.AddCustomer(polartest.Customer{SubscriptionMetadata: mine, ActiveSubscriptions: 2}).ID,
		polar.ResourceOrders:        server.AddCustomer(polartest.Customer{Orders: []map[string]any{nil, mine, mine}}).ID,
	}
	server.AddCustomer(polartest.Customer{Metadata: other, SubscriptionMetadata: other, ActiveSubscriptions: 1, Orders: []map[string]any{other}})
	find := func(of polar.Resource) polar.Matches {
		found, answer, err := client.FindByMetadata(t.Context(), of, "user id", "a&b=c[1]")
		require.NoError(t, err)
		require.Equal(t, polar.ResultFound, answer.Result)
		return found
	}
	for _, of := range polar.Resources() {
		found := find(of)
		require.Len(t, found.Customers, 1, of)
		require.Equal(t, want[of], found.Customers[0].ID)
		require.Equal(t, polartest.OrganizationID, found.Customers[0].OrganizationID)
		require.Equal(t, map[bool]string{true: "x"}[of == polar.ResourceCustomers], found.Customers[0].ExternalID)
		require.False(t, found.More || found.FilterIgnored)
	}

	_, answer, err := client.GetStateByID(t.Context(), want[polar.ResourceSubscriptions])
	require.NoError(t, err)
	require.Equal(t, polar.ResultFound, answer.Result)
	for _, id := range want {
		answer, err := client.DeleteCustomerByID(t.Context(), id, true)
		require.NoError(t, err)
		require.Equal(t, polar.ResultDeleted, answer.Result)
		entry := server.Journal()[server.Calls()-1]
		require.Equal(t, "/v1/customers/"+id, entry.RawPath)
		require.True(t, entry.Anonymize)
	}
	for _, of := range polar.Resources() {
		require.Equal(t, polar.Matches{}, find(of), "deleted ones are left out")
	}
	_, answer, err = client.GetStateByID(t.Context(), want[polar.ResourceOrders])
	require.NoError(t, err)
	require.Equal(t, polar.ResultNotFound, answer.Result)
	for _, id := range []string{"", "..", "external/x"} {
		_, err = client.DeleteCustomerByID(t.Context(), id, false)
		require.ErrorIs(t, err, polar.ErrUnaddressable)
		_, _, err = client.GetStateByID(t.Context(), id)
		require.ErrorIs(t, err, polar.ErrUnaddressable)
	}
}

func TestMoreThanAPageAndMissingScopesAreTold(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	orders := make([]map[string]any, polar.MaxPage+1)
	for i := range orders {
		orders[i] = map[string]any{"userId": "user_1"}
	}
	server.AddCustomer(polartest.Customer{Orders: orders})
	found, _, err := client.FindByMetadata(t.Context(), polar.ResourceOrders, "userId", "user_1")
	require.NoError(t, err)
	require.Len(t, found.Customers, 1)
	require.True(t, found.More)

	server.AllowToken(polartest.DefaultToken, polartest.TokenWithoutOrders)
	found, answer, err := client.FindByMetadata(t.Context(), polar.ResourceOrders, "userId", "user_1")
	require.NoError(t, err)
	require.True(t, answer.LacksScope())
	require.Equal(t, polar.Matches{}, found)
}

func TestEveryItemOfASearchIsChecked(t *testing.T) {
	t.Parallel()
	const c = `"id":"c1","created_at":"2026-01-02T03:04:05Z"`
	page := func(items string, total int) string {
		return fmt.Sprintf(`{"items":[%s],"pagination":{"total_count":%d,"max_page":1}}`, items, total)
	}
	item := func(metadata, rest string) string {
		return fmt.Sprintf(`{"id":"s1","metadata":%s,"customer_id":"c1"%s}`, metadata, rest)
	}
	const mine, owner = `{"userId":"42","other":1}`, `,"customer":{` + c + `}`
	for name, tt := range map[string]struct {
		body    string
		want    polar.Result
		ignored bool
		found   int
	}{
		"nobody":                    {body: page("", 0), want: polar.ResultFound},
		"one, twice":                {page(item(mine, owner)+","+item(mine, owner), 2), polar.ResultFound, false, 1},
		"a deleted customer":        {page(item(mine, `,"customer":{`+c+`,"deleted_at":"2026-02-02T03:04:05Z"}`), 1), polar.ResultFound, false, 0},
		"no metadata":               {page(`{"id":"s1","customer_id":"c1"`+owner+`}`, 1), polar.ResultFound, true, 0},
		"metadata that are null":    {page(item("null", owner), 1), polar.ResultFound, true, 0},
		"another key":               {page(item(`{"userid":"42"}`, owner), 1), polar.ResultFound, true, 0},
		"a number":                  {page(item(`{"userId":42}`, owner), 1), polar.ResultFound, true, 0},
		"null":                      {page(item(`{"userId":null}`, owner), 1), polar.ResultFound, true, 0},
		"another text":              {page(item(`{"userId":"42 "}`, owner), 1), polar.ResultFound, true, 0},
		"a text of that length":     {page(item(`{"userId":"43"}`, owner), 1), polar.ResultFound, true, 0},
		"everybody":                 {page(item(mine, owner)+","+item(`{}`, owner), 2), polar.ResultFound, true, 0},
		"the key twice":             {page(item(`{"userId":"42","userId":"43"}`, owner), 1), polar.ResultUnexpected, false, 0},
		"no customer":               {page(item(mine, ""), 1), polar.ResultUnexpected, false, 0},
		"another customer in it":    {page(item(mine, `,"customer":{"id":"c2","created_at":"2026-01-02T03:04:05Z"}`), 1), polar.ResultUnexpected, false, 0},
		"a customer without a time": {page(item(mine, `,"customer":{"id":"c1"}`), 1), polar.ResultUnexpected, false, 0},
		"an id that is a path":      {page(`{"metadata":`+mine+`,"customer_id":"a/b","customer":{"id":"a/b","created_at":"2026-01-02T03:04:05Z"}}`, 1), polar.ResultUnexpected, false, 0},
		"less than it counts":       {page("", 1), polar.ResultUnexpected, false, 0},
		"more than it counts":       {page(item(mine, owner), 0), polar.ResultUnexpected, false, 0},
		"no count":                  {`{"items":[]}`, polar.ResultUnexpected, false, 0},
		"something else":            {`{}`, polar.ResultUnexpected, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(tt.body))
			}))
			t.Cleanup(server.Close)
			found, answer, err := newClient(t, server.URL).FindByMetadata(t.Context(), polar.ResourceSubscriptions, "userId", "42")
			require.NoError(t, err)
			require.Equal(t, tt.want, answer.Result)
			require.Equal(t, tt.ignored, found.FilterIgnored)
			require.Len(t, found.Customers, tt.found)
		})
	}
}
