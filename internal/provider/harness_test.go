package provider_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

const (
	textKey   = "golden-secret-0123456789abcdef"
	someToken = "marker-token-0123456789abcdef"
	svixKey   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSvix = "whsec_plJ3nmyCDGBKInavdOK15jsl"
)

// sender is a provider that is enabled, and who sends to it.
type sender struct {
	*provider.Spec

	secret string // signs
}

// load reads settings from pairs NAME, value.
func load(o provider.Options, pairs ...string) (provider.Registry, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	environment := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		environment[pairs[i]] = pairs[i+1]
	}
	registry := provider.All(o)
	loader := config.NewLoader(config.Env{Getenv: func(name string) string { return environment[name] }})
	if err := loader.Parse(&config.Config{Providers: registry.Settings()}); err != nil {
		return nil, err
	}
	return registry, loader.Load(registry)
}

// enabled returns the named provider, whose first pair is the setting of its secret.
func enabled(t testing.TB, name string, pairs ...string) *sender {
	t.Helper()
	return enabledWith(t, provider.Options{}, name, pairs...)
}

func enabledWith(t testing.TB, o provider.Options, name string, pairs ...string) *sender {
	t.Helper()
	registry, err := load(o, pairs...)
	require.NoError(t, err)
	spec, ok := registry.Lookup(name)
	require.True(t, ok)
	require.True(t, spec.Enabled())
	return &sender{spec, pairs[1]}
}

// deliver signs a body and has it received.
func (s *sender) deliver(t testing.TB, body string) (deletion.Delivery, error) {
	t.Helper()
	header, signed, err := s.Scheme.Sign(s.secret, "msg_1", time.Now(), []byte(body))
	require.NoError(t, err)
	return s.Receive(header, signed)
}

// receive returns what an authentic body says.
func (s *sender) receive(t testing.TB, body string) deletion.Delivery {
	t.Helper()
	d, err := s.deliver(t, body)
	require.NoError(t, err)
	return d
}

// only returns the only deletion in an authentic body.
func (s *sender) only(t testing.TB, body string) deletion.Deletion {
	t.Helper()
	d := s.receive(t, body)
	require.Len(t, d.Deletions, 1)
	return d.Deletions[0]
}

// sample returns a sample of the event.
func (s *sender) sample(t testing.TB, externalID, eventID string) (http.Header, []byte) {
	t.Helper()
	header, body, err := s.Sample(s.secret, provider.Sample{ExternalID: externalID, EventID: eventID, Time: time.Now()})
	require.NoError(t, err)
	return header, body
}
