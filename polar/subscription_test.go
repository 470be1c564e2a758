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

func TestASubscriptionOfADeletedCustomerIsFound(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	server.AddCustomer(polartest.Customer{ExternalID: "another", ActiveSubscriptions: 1})
	for _, kept := range []bool{false, true} {
		id := server.AddCustomer(polartest.Customer{ExternalID: "user_1", ActiveSubscriptions: 1, KeepSubscriptions: kept}).ID
		_, err := client.DeleteCustomer(t.Context(), "user_1", false)
		require.NoError(t, err)
		active, answer, err := client.HasActiveSubscription(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, polar.ResultFound, answer.Result)
		require.Equal(t, kept, active)
	}

	server.AllowToken(polartest.DefaultToken, polartest.TokenWriteOnly)
	active, answer, err := client.HasActiveSubscription(t.Context(), "c0ffee00-0000-4000-8000-000000000001")
	require.NoError(t, err)
	require.True(t, answer.LacksScope())
	require.False(t, active)
}

func TestAnAnswerAboutOtherSubscriptionsIsUnexpected(t *testing.T) {
	t.Parallel()
	page := func(items string, total int) string {
		return fmt.Sprintf(`{"items":[%s],"pagination":{"total_count":%d,"max_page":1}}`, items, total)
	}
	for body, want := range map[string]polar.Result{
		page("", 0): polar.ResultFound,
		page(`{"customer_id":"c1","status":"active"}`, 3):   polar.ResultFound,
		page(`{"customer_id":"c1","status":"past_due"}`, 1): polar.ResultFound,
		page("", 1): polar.ResultUnexpected,
		page(`{"customer_id":"c1","status":"active"}`, 0):                                        polar.ResultUnexpected,
		page(`{"customer_id":"c2","status":"active"}`, 1):                                        polar.ResultUnexpected, // the filter was dropped
		page(`{"customer_id":"c1","status":"canceled"}`, 1):                                      polar.ResultUnexpected, // the other one was
		page(`{"customer_id":"c1","status":"active"},{"customer_id":"c2","status":"active"}`, 2): polar.ResultUnexpected,
		page(`{"status":"active"}`, 1):                                                           polar.ResultUnexpected,
		`{"items":[]}`:                                                                           polar.ResultUnexpected,
		`{}`:                                                                                     polar.ResultUnexpected,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		active, answer, err := newClient(t, server.URL).HasActiveSubscription(t.Context(), "c1")
		require.NoError(t, err)
		require.Equal(t, want, answer.Result, body)
		require.Equal(t, want == polar.ResultFound && body != page("", 0), active, body)
	}
}
