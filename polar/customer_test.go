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

func TestALookSaysWhoTheCustomerIsAndDeletesNothing(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	for _, id := range []string{"user_1", "auth0|1", "a#b", "a?b=c", "a%2Fb", "ü 1"} {
		added := server.AddCustomer(polartest.Customer{ExternalID: id, Type: "team", ActiveSubscriptions: 2, GrantedBenefits: 3})
		client := newClient(t, server.URL().String())
		found, answer, err := client.GetCustomer(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, polar.ResultFound, answer.Result, id)
		require.Equal(t, added.ID, found.ID)
		require.Equal(t, "team", found.Type)
		require.WithinDuration(t, added.CreatedAt, found.CreatedAt, 0)

		state, answer, err := client.GetState(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, polar.ResultFound, answer.Result, id)
		require.Equal(t, polar.State{ActiveSubscriptions: 2, GrantedBenefits: 3}, state)
		require.True(t, server.Exists(id))
	}
}

func TestALookForNobody(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	customer, answer, err := client.GetCustomer(t.Context(), "user_1")
	require.NoError(t, err)
	require.Equal(t, polar.ResultNotFound, answer.Result)
	require.Zero(t, customer)
	_, answer, err = client.GetState(t.Context(), "user_1")
	require.NoError(t, err)
	require.Equal(t, polar.ResultNotFound, answer.Result)
}

func TestALookIsNotAskedForAnIDThatCannotBeAddressed(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String())
	for _, id := range []string{"", "..", "a/b", "x/members/y", "a\x00b", "\xff"} {
		_, answer, err := client.GetCustomer(t.Context(), id)
		require.ErrorIs(t, err, polar.ErrUnaddressable)
		require.Zero(t, answer)
		_, _, err = client.GetState(t.Context(), id)
		require.ErrorIs(t, err, polar.ErrUnaddressable)
	}
	require.Zero(t, server.Calls())
}

func TestWhatALookDoesNotBelieve(t *testing.T) {
	t.Parallel()
	const customer = `{"id":"c1","external_id":"user_1","type":"individual","created_at":"2026-01-02T03:04:05Z"`
	tests := map[string]struct {
		status     int
		media      string
		body       string
		want       polar.Result
		wantNoType bool
	}{
		"the customer":             {200, "application/json", customer + `}`, polar.ResultFound, false},
		"one without a type":       {200, "application/json", strings.Replace(customer, `"type":"individual",`, "", 1) + `}`, polar.ResultFound, true},
		"another customer":         {200, "application/json", strings.Replace(customer, "user_1", "user_2", 1) + `}`, polar.ResultUnexpected, false},
		"no external id":           {200, "application/json", strings.Replace(customer, `"user_1"`, "null", 1) + `}`, polar.ResultUnexpected, false},
		"names in other cases":     {200, "application/json", strings.ToUpper(customer) + `}`, polar.ResultUnexpected, false},
		"a name twice":             {200, "application/json", customer + `,"external_id":"user_1"}`, polar.ResultUnexpected, false},
		"no time":                  {200, "application/json", strings.Replace(customer, `2026-01-02T03:04:05Z`, "soon", 1) + `}`, polar.ResultUnexpected, false},
		"no id":                    {200, "application/json", strings.Replace(customer, `"c1"`, `""`, 1) + `}`, polar.ResultUnexpected, false},
		"a type with a line break": {200, "application/json", strings.Replace(customer, `individual`, `te\nam`, 1) + `}`, polar.ResultUnexpected, false},
		"not called JSON":          {200, "text/html", customer + `}`, polar.ResultUnexpected, false},
		"beyond 64 KiB":            {200, "application/json", customer + `,"metadata":"` + strings.Repeat("x", 64<<10) + `"}`, polar.ResultUnexpected, false},
		"nothing":                  {204, "", "", polar.ResultUnexpected, false},
		"a route that is missing":  {404, "application/json", `{"detail":"Not Found"}`, polar.ResultUnexpected, false},
		"nobody":                   {404, "application/json", `{"error":"ResourceNotFound"}`, polar.ResultNotFound, false},
		"a gateway's error":        {520, "text/html", "", polar.ResultServerError, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{})
			server.SetFault(polartest.Status(tt.status, tt.media, tt.body))
			found, answer, err := newClient(t, server.URL().String()).GetCustomer(t.Context(), "user_1")
			require.NoError(t, err)
			require.Equal(t, tt.want, answer.Result)
			require.Equal(t, tt.want == polar.ResultFound, found.ID == "c1")
			require.Equal(t, tt.wantNoType || tt.want != polar.ResultFound, found.Type == "")
			require.False(t, answer.AnswerLost, "a look changes nothing")
		})
	}
}

func TestAStateThatDoesNotSayWhatItCountsIsNotBelieved(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]polar.Result{
		`{"external_id":"u","active_subscriptions":[{}],"granted_benefits":[]}`: polar.ResultFound,
		`{"external_id":"u","active_subscriptions":[{}]}`:                       polar.ResultUnexpected,
		`{"external_id":"u","granted_benefits":[]}`:                             polar.ResultUnexpected,
		`{"external_id":"v","active_subscriptions":[],"granted_benefits":[]}`:   polar.ResultUnexpected,
		`{"external_id":"u","active_subscriptions":{},"granted_benefits":[]}`:   polar.ResultUnexpected,
	} {
		server := polartest.Start(t, polartest.Options{})
		server.SetFault(polartest.Status(200, "application/json", body))
		_, answer, err := newClient(t, server.URL().String()).GetState(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, want, answer.Result, body)
	}
}

func TestALookThatBreaksOffLosesNothing(t *testing.T) {
	t.Parallel()
	for _, fault := range []polartest.Fault{polartest.ResetBeforeCommit(), polartest.Truncated(), polartest.Hang()} {
		server := polartest.Start(t, polartest.Options{})
		server.AddCustomer(polartest.Customer{ExternalID: "u"})
		server.SetFault(fault)
		client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Timeout = 300 * time.Millisecond })
		customer, answer, err := client.GetCustomer(t.Context(), "u")
		require.Error(t, err, fault.Name)
		require.Equal(t, polar.ResultNetworkError, answer.Result, fault.Name)
		require.False(t, answer.AnswerLost, fault.Name)
		require.Zero(t, customer)
		require.NotContains(t, err.Error(), "external")
	}
}

func TestALookIsNotRedirected(t *testing.T) {
	t.Parallel()
	elsewhere := polartest.Start(t, polartest.Options{})
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL().String()+"/v1/customers/external/u", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	_, answer, err := newClient(t, server.URL).GetCustomer(t.Context(), "u")
	require.NoError(t, err)
	require.Equal(t, polar.ResultUnexpected, answer.Result)
	require.Zero(t, elsewhere.Calls())
}

func TestLooksAreHeardOf(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	var heard []string
	client := newClient(t, server.URL().String(), func(o *polar.Options) {
		o.OnRequest = func(operation, code string, _ time.Duration) { heard = append(heard, fmt.Sprint(operation, " ", code)) }
	})
	_, _, _ = client.GetCustomer(t.Context(), "u")
	_, _, _ = client.GetState(t.Context(), "u")
	_, _, _ = client.GetCustomer(t.Context(), "v")
	require.Equal(t, []string{"get_customer 200", "get_state 200", "get_customer 404"}, heard)
}
