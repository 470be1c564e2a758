package polar_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// A DELETE must not be repeated behind our back: the repeat would find no
// customer, and the answer would say that there never was one.
func TestReusedConnectionIsNotRetried(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	client := newClient(t, server.URL().String())
	_, err := client.Probe(t.Context())
	require.NoError(t, err)
	server.FailNext(1, polartest.ResetAfterCommit())
	answer, err := client.DeleteCustomer(t.Context(), "u", false)
	require.Error(t, err)
	require.Equal(t, polar.Answer{Result: polar.ResultNetworkError, AnswerLost: true}, answer)
	require.Equal(t, 2, server.Calls())
}

// Polar is behind Cloudflare, so production speaks HTTP/2.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	fake := polartest.New(polartest.Options{})
	fake.AddCustomer(polartest.Customer{ExternalID: "a#b"})
	fake.AddCustomer(polartest.Customer{ExternalID: "u"})
	server := httptest.NewUnstartedServer(fake)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = discard()
	server.StartTLS()
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, func(o *polar.Options) {
		transport := server.Client().Transport
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := transport.RoundTrip(r)
			if err == nil && response.ProtoMajor != 2 {
				t.Errorf("speaks %s", response.Proto)
			}
			return response, err
		})
	})

	answer, err := client.DeleteCustomer(t.Context(), "a#b", false)
	require.NoError(t, err)
	require.Equal(t, polar.ResultDeleted, answer.Result)

	fake.FailNext(1, polartest.ResetAfterCommit())
	answer, err = client.DeleteCustomer(t.Context(), "u", false)
	require.Error(t, err)
	require.Equal(t, polar.Answer{Result: polar.ResultNetworkError, AnswerLost: true}, answer)
	require.Equal(t, 2, fake.Calls())

	fake.FailNext(1, polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = fake.WaitForCalls(ctx, 3)
		cancel()
	}()
	answer, err = client.DeleteCustomer(ctx, "u", false)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, answer.AnswerLost)
}
