package polar_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestAListHasEveryCustomerOnceInTheOrderOfTheirMaking(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	start := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for i := range 250 {
		external := fmt.Sprintf("user_%d", i)
		if i == 7 {
			external = "" // a customer of the shop's own
		}
		server.AddCustomer(polartest.Customer{ExternalID: external, Type: "team", CreatedAt: start.Add(time.Duration(i) * time.Second)})
	}
	client := newClient(t, server.URL().String())
	var all []polar.ListedCustomer
	for page := 1; page <= 4; page++ {
		found, answer, err := client.ListCustomers(t.Context(), page, 100)
		require.NoError(t, err)
		require.Equal(t, polar.ResultFound, answer.Result)
		require.Equal(t, 250, found.Total)
		all = append(all, found.Customers...)
	}
	require.Len(t, all, 250)
	for i, c := range all {
		require.WithinDuration(t, start.Add(time.Duration(i)*time.Second), c.CreatedAt, 0)
	}
	require.Empty(t, all[7].ExternalID)
	require.Equal(t, "user_249", all[249].ExternalID)
	require.Equal(t, "team", all[249].Type)
	require.Equal(t, 4, server.Calls(), "no redirect")
}

func TestAListThatIsNotCompleteIsUnexpected(t *testing.T) {
	t.Parallel()
	const (
		one = `{"id":"a","type":"individual","external_id":"x","created_at":"2026-01-02T03:04:05Z"}`
		two = `{"id":"b","type":"individual","external_id":null,"created_at":"2026-01-02T03:04:06Z"}`
	)
	page := func(items string, total int) string {
		return fmt.Sprintf(`{"items":[%s],"pagination":{"total_count":%d,"max_page":1}}`, items, total)
	}
	for body, want := range map[string]polar.Result{
		page(one+","+two, 2):                   polar.ResultFound,
		page("", 0):                            polar.ResultFound,
		page(one, 2):                           polar.ResultUnexpected, // truncated
		page(one+","+two, 1):                   polar.ResultUnexpected,
		page(two+","+one, 2):                   polar.ResultUnexpected, // another order
		page("{}", 1):                          polar.ResultUnexpected,
		page("null", 1):                        polar.ResultUnexpected,
		`{"items":[]}`:                         polar.ResultUnexpected,
		`{"items":null,"pagination":{}}`:       polar.ResultUnexpected,
		`{"items":[],"pagination":{}}`:         polar.ResultUnexpected,
		`[]`:                                   polar.ResultUnexpected,
		`{"error":"ResourceNotFound"}`:         polar.ResultUnexpected,
		strings.TrimSuffix(page(one, 1), "}}"): polar.ResultUnexpected,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		found, answer, err := newClient(t, server.URL).ListCustomers(t.Context(), 1, 100)
		require.NoError(t, err)
		require.Equal(t, want, answer.Result, body)
		require.Equal(t, want == polar.ResultFound, found.Total == len(found.Customers) && answer.Result == polar.ResultFound)
	}
}

func TestAListIsJudgedLikeEverything(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	for want, fault := range map[polar.Result]polartest.Fault{ //nolint:exhaustive // the others have no fault of their own
		polar.ResultRateLimited:  polartest.RateLimited(8 * time.Second),
		polar.ResultServerError:  polartest.InternalError(),
		polar.ResultUnauthorized: polartest.Status(401, "application/json", "{}"),
		polar.ResultUnexpected:   polartest.Status(404, "application/json", `{"error":"ResourceNotFound"}`),
	} {
		server.FailNext(1, fault)
		_, answer, err := client.ListCustomers(t.Context(), 1, 100)
		require.NoError(t, err)
		require.Equal(t, want, answer.Result)
		require.False(t, answer.AnswerLost)
	}
	server.FailNext(1, polartest.HTMLPage())
	_, answer, err := client.ListCustomers(t.Context(), 1, 100)
	require.NoError(t, err)
	require.Equal(t, polar.ResultUnexpected, answer.Result)
	server.FailNext(1, polartest.Truncated())
	_, answer, err = client.ListCustomers(t.Context(), 1, 100)
	require.Error(t, err)
	require.Equal(t, polar.ResultNetworkError, answer.Result)
}
