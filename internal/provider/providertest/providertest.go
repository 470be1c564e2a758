// Package providertest is the conformance suite that every identity provider has to
// pass: what authenticates, what does not, and what a strict reading makes of ids and
// bodies. It is driven by the provider's Spec and by testdata/NAME/conformance.json.
//
// It must not know any provider.
package providertest

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// Harness is one provider, set up in one way.
type Harness struct {
	// SignWith signs in place of the provider's scheme when it is not nil, for what
	// the scheme only verifies.
	SignWith func(secret, id string, at time.Time, payload []byte) (http.Header, []byte, error)
	// GoodSecret and OtherUsed replace the secrets of the description.
	GoodSecret, OtherSecret string

	name, folder string
	description  description
	variant      variant
	issuers      issuers
	base         *provider.Spec // with the good secret
}

// Variants returns the provider in each of the ways that its description has, the
// default one first. Its folder is testdata/NAME.
func Variants(tb testing.TB, name string) []*Harness {
	tb.Helper()
	folder := filepath.Join("testdata", name)
	d := describe(tb, folder)
	all := []*Harness{newHarness(tb, name, folder, d, d.variant)}
	for _, v := range d.Variants {
		all = append(all, newHarness(tb, name, folder, d, v.over(d.variant)))
	}
	return all
}

func newHarness(tb testing.TB, name, folder string, d description, v variant) *Harness {
	tb.Helper()
	h := &Harness{name: name, folder: filepath.Join(folder, v.Golden), description: d, variant: v}
	if isAddress(v.Secret) {
		h.issuers = newIssuers(tb, []string{v.Secret, v.OtherSecret}, v.GoldenSecrets, h.folder)
	}
	return h
}

// Name is a sentence about how the provider is set up.
func (h *Harness) Name() string {
	return cmp.Or(h.variant.Name, "as it comes")
}

// Run runs the whole suite.
func Run(t *testing.T, h *Harness) {
	t.Helper()
	if h.variant.Name == "" || h.variant.Golden != "" {
		t.Run("golden requests", h.golden)
	}
	if h.variant.GoldenOnly {
		return
	}
	t.Run("setting up", h.setUp)
	t.Run("sample", h.sample)
	t.Run("authentication", h.authentication)
	t.Run("rotation", h.rotation)
	t.Run("ids", h.ids)
	t.Run("bodies", h.bodies)
	t.Run("odd JSON", h.odd)
	t.Run("gateway", h.behindGateway)
	if !h.isToken(t) {
		t.Run("no mutation of the body passes", h.mutations)
	}
	switch {
	case h.svixHeaders(t) != nil:
		t.Run("svix", h.svix)
	case h.isToken(t):
		t.Run("token", h.token)
	case h.description.Tolerance != "":
		t.Run("the time may be off by the tolerance, both ways", h.schemeAge)
	}
}

const (
	externalID = "usr_1"
	eventID    = "evt_vjFVP5pVdfvsfRKatshkVV"
)

// now is when the suite's deliveries are made and arrive.
func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func (h *Harness) secret() string { return cmp.Or(h.GoodSecret, h.variant.Secret) }

func (h *Harness) other() string { return cmp.Or(h.OtherSecret, h.variant.OtherSecret) }

// open sets the provider up as the program does, from an environment with these
// secrets and settings besides the variant's, and with a gateway, which must not
// matter to what it has not signed.
func (h *Harness) open(clock func() time.Time, secrets []string, more map[string]string) (*provider.Spec, error) {
	var transport http.RoundTripper
	if h.issuers.sets != nil {
		transport = h.issuers
	}
	all := provider.All(provider.Options{Now: clock, Transport: transport})
	if err := all.Gateway().SetKeys([]string{oldGatewaySecret, gatewaySecret}); err != nil {
		return nil, err
	}
	spec, ok := all.Lookup(h.name)
	if !ok {
		return nil, errors.New("there is no such provider")
	}
	environment := map[string]string{cmp.Or(h.variant.SecretEnv, spec.EnabledBy): strings.Join(secrets, "\n")}
	maps.Copy(environment, h.variant.Settings)
	maps.Copy(environment, more)
	loader := config.NewLoader(config.Env{Getenv: func(name string) string { return environment[name] }})
	if err := loader.Parse(&config.Config{Providers: []any{spec.Settings}}); err != nil {
		return nil, err
	}
	if err := loader.Load(provider.Registry{spec}); err != nil {
		return nil, err
	}
	return spec, nil
}

// provider returns the provider with the good secret.
func (h *Harness) provider(tb testing.TB) *provider.Spec {
	tb.Helper()
	if h.base == nil {
		h.base = h.with(tb, h.secret())
	}
	return h.base
}

// with returns the provider with these secrets.
func (h *Harness) with(tb testing.TB, secrets ...string) *provider.Spec {
	tb.Helper()
	p, err := h.open(now, secrets, nil)
	require.NoError(tb, err)
	return p
}

// good returns a genuine delivery, signed with secret at the time.
func (h *Harness) good(tb testing.TB, secret string, at time.Time) (http.Header, []byte) {
	tb.Helper()
	payload, err := json.Marshal(h.provider(tb).Event(provider.Sample{ExternalID: externalID, EventID: eventID, Time: at}), json.Deterministic(true))
	require.NoError(tb, err)
	return h.sign(tb, secret, at, payload)
}

// sign returns the request that says the payload.
func (h *Harness) sign(tb testing.TB, secret string, at time.Time, payload []byte) (http.Header, []byte) {
	tb.Helper()
	if private, ok := h.issuers.private[secret]; ok {
		secret = private
	}
	sign := h.SignWith
	if sign == nil {
		sign = h.provider(tb).Scheme.Sign
	}
	header, body, err := sign(secret, eventID, at, payload)
	require.NoError(tb, err)
	return header, body
}

// Receive gives the provider an authentic body.
func (h *Harness) Receive(tb testing.TB, payload []byte) (deletion.Delivery, error) {
	tb.Helper()
	header, body := h.sign(tb, h.secret(), now(), payload)
	d, err := h.provider(tb).Receive(header, body)
	h.check(tb, d, err)
	return d, err
}

// accepted requires that the delivery passes both steps.
func (h *Harness) accepted(t testing.TB, p *provider.Spec, header http.Header, body []byte) deletion.Delivery {
	t.Helper()
	require.NoError(t, p.CheckHeader(header))
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	h.check(t, d, err)
	return d
}

// refused requires that the delivery does not pass, for the reason.
func (h *Harness) refused(t testing.TB, p *provider.Spec, header http.Header, body []byte, reason fault.Reason) {
	t.Helper()
	d, err := p.Receive(header, body)
	require.Error(t, err)
	require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	require.Equal(t, reason, fault.ReasonOf(err))
	h.check(t, d, err)
	if reason != fault.ReasonBadSignature {
		require.Equal(t, reason, fault.ReasonOf(p.CheckHeader(header)), "known before the body is read")
	}
}

// check holds for every delivery whatever was sent.
func (h *Harness) check(t testing.TB, d deletion.Delivery, err error) {
	t.Helper()
	if err != nil {
		require.Contains(t, []fault.Kind{fault.Unauthenticated, fault.Malformed}, fault.KindOf(err))
		require.NotEmpty(t, fault.ReasonOf(err))
		require.Equal(t, deletion.Delivery{}, d, "nothing comes with an error")
		h.noSecrets(t, err)
		return
	}
	for _, one := range d.Deletions {
		require.Equal(t, h.name, one.Provider)
		require.NotEmpty(t, one.EventID)
		require.LessOrEqual(t, len(one.EventID), 200)
		require.Equal(t, now(), one.ReceivedAt)
		if !one.OccurredAt.IsZero() { // else it stands there and cannot be read
			at, ok := deletion.Occurred(one.OccurredAt, one.ReceivedAt)
			require.True(t, ok)
			require.Equal(t, at, one.OccurredAt)
		}
		require.True(t, utf8.ValidString(one.UnusableID))
		require.LessOrEqual(t, len(one.UnusableID), 64)
		if one.UnusableID != "" {
			require.Empty(t, one.ExternalID)
			continue
		}
		require.NoError(t, deletion.CheckExternalID(one.ExternalID))
	}
	require.Equal(t, d.Ignored > 0, d.IgnoreReason != "")
}

func (h *Harness) noSecrets(t testing.TB, err error) {
	t.Helper()
	for _, secret := range append([]string{h.secret(), h.other()}, h.variant.UnusableSecrets...) {
		if len(secret) >= 8 {
			require.NotContains(t, err.Error(), secret)
		}
	}
}
