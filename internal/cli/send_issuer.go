package cli

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
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
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address.Hostname(), cmp.Or(address.Port(), "80")))
	if err != nil {
		return "", nil, fmt.Errorf("publish a key where the server looks for it: %w", err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwk-set+json")
			_, _ = w.Write(keySet) // whoever asked has gone
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until it is closed
	return private, func() {
		_ = server.Close() // nothing is lost with it
		serving.Wait()
	}, nil
}
