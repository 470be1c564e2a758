package polartest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestAReplicaThatLagsShowsThePast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	server := polartest.Start(t, polartest.Options{Now: func() time.Time { return now }})
	look := func(want int) {
		t.Helper()
		for _, path := range []string{"u", "u/state"} {
			got, _ := call(t, server, "GET", external+path, "Authorization: Bearer "+polartest.DefaultToken)
			require.Equal(t, want, got.StatusCode, path)
		}
	}
	server.SetReplicaLag(time.Minute)
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	look(404)
	now = now.Add(time.Minute)
	look(200)
	gone, _ := call(t, server, "DELETE", external+"u", "Authorization: Bearer "+polartest.DefaultToken)
	require.Equal(t, 204, gone.StatusCode)
	look(200)
	now = now.Add(59 * time.Second)
	look(200)
	server.SetReplicaLag(0)
	look(404)
	server.SetReplicaLag(time.Minute)
	now = now.Add(time.Second)
	look(404)
}

func TestAFaultForOneOperationLetsTheOthersPass(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u", GrantedBenefits: 1})
	server.FailNextOf(polartest.OperationDelete, 1, polartest.Gateway(503))
	ask := func(method string) int {
		got, _ := call(t, server, method, external+"u", "Authorization: Bearer "+polartest.DefaultToken)
		return got.StatusCode
	}
	require.Equal(t, []int{200, 503, 204}, []int{ask("GET"), ask("DELETE"), ask("DELETE")})
	require.Equal(t, 1, server.CallsOf(polartest.OperationGet))
	require.Equal(t, 2, server.CallsOf(polartest.OperationDelete))
	require.NoError(t, server.WaitForCallsOf(t.Context(), polartest.OperationDelete, 2))
}
