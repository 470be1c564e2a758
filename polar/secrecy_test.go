package polar_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// discard is a logger for servers that are provoked.
func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	const (
		id    = "user-that-nobody-may-see"
		token = "polar_oat_that-nobody-may-see"
	)
	fake := polartest.Start(t, polartest.Options{Token: token})
	fake.SetFault(polartest.ResetBeforeCommit())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	tests := []struct {
		name   string
		ctx    context.Context
		server string
		token  string
	}{
		{"reset", t.Context(), fake.URL().String(), token},
		{"cancelled", cancelled, fake.URL().String(), token},
		{"refused", t.Context(), "http://" + listener.Addr().String(), token},
		{"server that repeats the request", t.Context(), echo(t), token},
		{"unknown scheme", t.Context(), "gopher://polar.invalid", token},
		{"not a host", t.Context(), "http://a b", token},
		{"token with a line break", t.Context(), fake.URL().String(), token + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, "http://placeholder.invalid", func(o *polar.Options) {
				o.BaseURL.Scheme, o.BaseURL.Host, _ = strings.Cut(tt.server, "://")
				o.Token = func() string { return tt.token }
			})
			_, err := client.DeleteCustomer(tt.ctx, id, true)
			require.Error(t, err)
			for ; err != nil; err = errors.Unwrap(err) {
				text := fmt.Sprintf("%v %+v %#v", err, err, err)
				require.NotContains(t, text, "nobody-may-see")
				require.NotContains(t, text, "/v1/")
			}
		})
	}
}

func TestUnusableTokenIsNotSent(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	client := newClient(t, server.URL().String(), func(o *polar.Options) { o.Token = func() string { return "a\r\nX: y" } })
	answer, err := client.Probe(t.Context())
	require.ErrorIs(t, err, polar.ErrUnusableToken)
	require.Equal(t, polar.Answer{Result: polar.ResultUnauthorized}, answer)
	require.Zero(t, server.Calls())
}

// echo serves the request line as the answer, which is not HTTP.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(connection).ReadString('\n')
			_, _ = io.WriteString(connection, line+"\r\n")
			_ = connection.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}
