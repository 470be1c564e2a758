package polar_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestCreateCustomer(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AllowToken("polar_oat_readonly", polartest.TokenReadOnly)
	token := polartest.DefaultToken
	client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Token = func() string { return token } })

	made, answer, err := client.CreateCustomer(t.Context(), "test|1", "A test", "a+1@shop.example")
	require.NoError(t, err)
	require.Equal(t, polar.ResultFound, answer.Result)
	require.Equal(t, polartest.OrganizationID, made.OrganizationID)
	found, _, err := client.GetCustomer(t.Context(), "test|1")
	require.NoError(t, err)
	require.Equal(t, made, found)

	for name, refused := range map[string]struct{ id, email string }{
		"an id that exists":        {"test|1", "b@shop.example"},
		"an address that exists":   {"test|2", "A+1@shop.example"},
		"a domain without mail":    {"test|3", "a@example.com"},
		"a domain for tests":       {"test|4", "a@shop.test"},
		"a domain without a point": {"test|5", "a@shop"},
		"an address of nothing":    {"test|6", "shop.example"},
	} {
		_, answer, err := client.CreateCustomer(t.Context(), refused.id, "A test", refused.email)
		require.NoError(t, err, name)
		require.Equal(t, polar.ResultRejected, answer.Result, name)
		require.Equal(t, "RequestValidationError", answer.ErrorCode, name)
	}
	_, _, err = client.CreateCustomer(t.Context(), "a/b", "A test", "c@shop.example")
	require.ErrorIs(t, err, polar.ErrUnaddressable)
	token = "polar_oat_readonly"
	_, answer, err = client.CreateCustomer(t.Context(), "test|7", "A test", "d@shop.example")
	require.NoError(t, err)
	require.True(t, answer.LacksScope())
	require.Len(t, server.Customers(), 1)

	token = polartest.DefaultToken
	server.FailNext(1, polartest.Status(http.StatusCreated, "application/json", `{"id":"x"}`))
	made, answer, err = client.CreateCustomer(t.Context(), "test|8", "A test", "e@shop.example")
	require.NoError(t, err)
	require.Equal(t, polar.ResultUnexpected, answer.Result, "it does not say whom it has made")
	require.Zero(t, made)
}
