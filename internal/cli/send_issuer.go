package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// signingKey returns what an event is signed with and what to call afterwards:
// the configured secret or, for a provider that signs with keys which it
// publishes, a new key that is published in the provider's place meanwhile.
func signingKey(ctx context.Context, p *provider.Spec) (key string, stop func(), err error) {
	if p.KeysURL == nil || p.KeysURL() == "" {
		return p.Secrets()[0], func() {}, nil
	}
	address, err := url.Parse(p.KeysURL())
	if err != nil {
		return "", nil, fmt.Errorf("read the address of the keys: %w", err)
	}
	if address.Scheme != "http" || !loopback(address.Hostname()) {
		return "", nil, fmt.Errorf("%s signs with private keys that nobody else has, so only %s itself can send to a server that trusts %s.\n"+
			"To see the way of an event, start a server that trusts this machine, with http://127.0.0.1:9999 as that address, and send with the same: "+
			"send publishes a key there that it makes for the purpose", p.Title, p.Title, address.Host)
	}
	private, keySet, err := signature.NewSigningKey()
	if err != nil {
		return "", nil, fmt.Errorf("make a key: %w", err)
	}
	stop, err = publish(ctx, address, keySet)
	return private, stop, err
}

// publish answers with the key set at the address until stop is called.
func publish(ctx context.Context, address *url.URL, keySet []byte) (stop func(), err error) {
	port := address.Port()
	if port == "" {
		port = "80"
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("publish a key where the server looks for it: %w", err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwk-set+json")
			_, _ = w.Write(keySet) // whoever asked has gone
		}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	return func() {
		_ = server.Close() // nothing is lost with it
		<-done
	}, nil
}
