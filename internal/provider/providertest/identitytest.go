// Package providertest is the conformance suite that every identity provider
// has to pass: what authenticates, what does not, and what a strict reading
// makes of ids and bodies.
//
// It must not know any provider; each describes itself with a Harness.
package providertest

import (
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Harness describes a provider to the suite.
type Harness struct {
	// Info, New and Sample are the provider's own.
	Info provider.Info
	// New sets the provider up.
	New func(provider.Settings) (provider.Provider, error)
	// Sample makes a realistic delivery.
	Sample func(secret string, s provider.Sample) (http.Header, []byte, error)
	// IDField and Source are the settings under test.
	IDField string
	// Source is the instance or stream of the deliveries.
	Source string

	// Secret and Other are two good secrets; they must not appear in errors.
	Secret string
	// Other is a secret that is not configured unless a test says so.
	Other string
	// Unusable are secrets that New must refuse.
	Unusable []string
	// UnusableIDFields are IDField settings that New must refuse.
	UnusableIDFields []string

	// Svix is the header set of a provider with Svix signatures, else nil.
	Svix *signature.HeaderSet
	// Token is the form of a provider with a static token, else nil.
	Token *signature.TokenForm
	// Scheme is any other way to authenticate, else nil.
	Scheme *Scheme

	// Body is a deletion in whose user object exactly the members stand, as
	// JSON text such as `"id":"a"`, besides those that every deletion has.
	Body func(members string) []byte
	// IDMember is the name of the member that holds the id.
	IDMember string
	// OptionalID says that an event without the id is ignored, not held.
	OptionalID bool
	// DerivedEventID says that the event's id is made from the body, because the
	// provider sends none of its own.
	DerivedEventID bool
	// Untimed says that the event does not say when it happened.
	Untimed bool
	// Batch says that a body holds many events, so that a broken one is held.
	Batch bool

	// Ignored are authentic bodies of no interest.
	Ignored []Case
	// Malformed are authentic bodies that cannot be decoded.
	Malformed []Case
	// Golden are the secrets of the requests under testdata.
	Golden []string
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	t.Run("setting up", h.setUp)
	t.Run("sample", h.sample)
	t.Run("authentication", h.authentication)
	t.Run("rotation", h.rotation)
	t.Run("ids", h.ids)
	t.Run("bodies", h.bodies)
	t.Run("odd JSON", h.odd)
	if h.Svix != nil {
		t.Run("svix", h.svix)
	}
	if h.Token != nil {
		t.Run("token", h.token)
	}
	if h.Scheme != nil {
		t.Run("scheme", h.scheme)
	}
}

const (
	externalID = "usr_1"
	eventID    = "evt_vjFVP5pVdfvsfRKatshkVV"
)

// now is when the suite's deliveries are made and arrive.
func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func (h Harness) settings(secrets ...string) provider.Settings {
	settings := provider.Settings{
		Secrets: func() []string { return secrets },
		Now:     now,
		IDField: h.IDField,
	}
	if h.Source != "" {
		settings.Sources = []string{"another", h.Source}
	}
	return settings
}

func (h Harness) provider(t testing.TB, secrets ...string) provider.Provider {
	t.Helper()
	p, err := h.New(h.settings(secrets...))
	require.NoError(t, err)
	return p
}

// good returns a genuine delivery, signed with secret at the time.
func (h Harness) good(t testing.TB, secret string, at time.Time) (http.Header, []byte) {
	t.Helper()
	header, body, err := h.Sample(secret, provider.Sample{
		ExternalID: externalID, EventID: eventID, Time: at, IDField: h.IDField, Source: h.Source,
	})
	require.NoError(t, err)
	return header, body
}

// sign returns headers that authenticate any body.
func (h Harness) sign(t testing.TB, secret string, body []byte) http.Header {
	t.Helper()
	if h.Scheme != nil {
		header, err := h.Scheme.Sign(secret, now(), body)
		require.NoError(t, err)
		return header
	}
	if h.Svix != nil {
		header, err := signature.SvixHeader(*h.Svix, secret, eventID, now(), body)
		require.NoError(t, err)
		return header
	}
	header, err := h.Token.SignHeader(secret)
	require.NoError(t, err)
	return header
}

// wrap returns the body of a request that says what the payload does.
func (h Harness) wrap(t testing.TB, secret string, payload []byte) []byte {
	t.Helper()
	if h.Scheme == nil || h.Scheme.Wrap == nil {
		return payload
	}
	body, err := h.Scheme.Wrap(secret, payload)
	require.NoError(t, err)
	return body
}

// receive gives the provider an authentic body.
func (h Harness) receive(t testing.TB, body []byte) (event.Delivery, error) {
	t.Helper()
	d, err := h.provider(t, h.Secret).Receive(h.sign(t, h.Secret, body), h.wrap(t, h.Secret, body))
	h.check(t, d, err)
	return d, err
}

// accepted requires that the delivery passes both steps.
func (h Harness) accepted(t testing.TB, p provider.Provider, header http.Header, body []byte) event.Delivery {
	t.Helper()
	require.NoError(t, p.CheckHeader(header))
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	h.check(t, d, err)
	return d
}

// refused requires that the delivery does not pass, for the reason.
func (h Harness) refused(t testing.TB, p provider.Provider, header http.Header, body []byte, reason string) {
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
func (h Harness) check(t testing.TB, d event.Delivery, err error) {
	t.Helper()
	if err != nil {
		require.Contains(t, []fault.Kind{fault.Unauthenticated, fault.Malformed}, fault.KindOf(err))
		require.NotEmpty(t, fault.ReasonOf(err))
		require.Equal(t, event.Delivery{}, d, "nothing comes with an error")
		h.noSecrets(t, err)
		return
	}
	for _, one := range d.Deletions {
		require.Equal(t, h.Info.Name, one.Provider)
		require.NotEmpty(t, one.EventID)
		require.LessOrEqual(t, len(one.EventID), 200)
		require.Equal(t, now(), one.ReceivedAt)
		if !one.OccurredAt.IsZero() { // else it stands there and cannot be read
			at, ok := event.Occurred(one.OccurredAt, one.ReceivedAt)
			require.True(t, ok)
			require.Equal(t, at, one.OccurredAt)
		}
		require.True(t, utf8.ValidString(one.UnusableID))
		require.LessOrEqual(t, len(one.UnusableID), 64)
		if one.UnusableID != "" {
			require.Empty(t, one.ExternalID)
			continue
		}
		require.NoError(t, event.CheckExternalID(one.ExternalID))
	}
	require.Equal(t, d.Ignored > 0, d.IgnoreReason != "")
}

func (h Harness) noSecrets(t testing.TB, err error) {
	t.Helper()
	for _, secret := range append([]string{h.Secret, h.Other}, h.Unusable...) {
		if len(secret) >= 8 {
			require.NotContains(t, err.Error(), secret)
		}
	}
}
