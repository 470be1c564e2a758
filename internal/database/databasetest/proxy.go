package databasetest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxied returns the URL under which a proxy offers the database that a URL of Postgres
// names. forward passes on what a client says, until that ends.
func proxied(t testing.TB, database string, forward func(client io.Reader, server io.Writer) error) string {
	t.Helper()
	target, err := url.Parse(database)
	require.NoError(t, err)
	server := target.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var proxies sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		_ = listener.Close() // ends the loop below
		proxies.Wait()
	})
	proxies.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			proxies.Go(func() { join(ctx, client, server, forward) })
		}
	})
	target.Host = listener.Addr().String()
	return target.String()
}

// join joins two connections until one of them or ctx ends.
func join(ctx context.Context, client net.Conn, address string, forward func(io.Reader, io.Writer) error) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		_ = client.Close() // the client notices
		return
	}
	closeBoth := func() { _, _ = client.Close(), server.Close() } // whoever is first
	stop := context.AfterFunc(ctx, closeBoth)
	defer stop()
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server) // until either is closed
		closeBoth()
	})
	_ = forward(client, server)
	closeBoth()
	answers.Wait()
}

// forwardNoCancel passes everything on but requests to cancel, which are a connection's
// first message. PgBouncer wants that in one piece.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func forwardNoCancel(client io.Reader, server io.Writer) error {
	const length, code, cancelRequest = 4, 4, 80877102
	first := make([]byte, length+code)
	if _, err := io.ReadFull(client, first); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(first[length:]) == cancelRequest {
		return nil
	}
	rest := make([]byte, binary.BigEndian.Uint32(first)-length-code)
	if _, err := io.ReadFull(client, rest); err != nil {
		return err
	}
	if _, err := server.Write(slices.Concat(first, rest)); err != nil {
		return err
	}
	_, err := io.Copy(server, client)
	return err
}
