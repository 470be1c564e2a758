package providertest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
)

func (h Harness) setUp(t *testing.T) {
	t.Parallel()
	t.Run("says what it is", func(t *testing.T) {
		t.Parallel()
		p := h.provider(t, h.Secret)
		require.Equal(t, h.Info.Name, p.Name())
		require.GreaterOrEqual(t, p.MaxBody(), int64(provider.MaxEvent))
		require.NotEmpty(t, h.Info.Title)
		require.Contains(t, h.Info.Docs, "https://")
	})
	t.Run("lets strangers send little", func(t *testing.T) {
		t.Parallel()
		p := h.provider(t, h.Secret)
		if p.MaxBody() <= provider.MaxEvent {
			return
		}
		forged, _ := h.good(t, h.Other, time.Now())
		require.Equal(t, fault.Unauthenticated, fault.KindOf(p.CheckHeader(forged)), "large bodies are for known senders")
	})
	t.Run("needs a secret", func(t *testing.T) {
		t.Parallel()
		for _, settings := range []provider.Settings{{}, h.settings(), h.settings("")} {
			_, err := h.New(settings)
			require.ErrorContains(t, err, h.Info.SecretEnv)
		}
	})
	t.Run("refuses an unusable secret, also beside a good one", func(t *testing.T) {
		t.Parallel()
		require.NotEmpty(t, h.Unusable)
		for _, secret := range h.Unusable {
			for _, settings := range []provider.Settings{h.settings(secret), h.settings(h.Secret, secret)} {
				_, err := h.New(settings)
				require.ErrorContains(t, err, h.Info.SecretEnv)
				h.noSecrets(t, err)
			}
		}
	})
	t.Run("refuses an id field that it does not know", func(t *testing.T) {
		t.Parallel()
		for _, field := range h.UnusableIDFields {
			settings := h.settings(h.Secret)
			settings.IDField = field
			_, err := h.New(settings)
			require.ErrorContains(t, err, "_ID_FIELD", "%q", field)
		}
	})
	t.Run("uses the real clock unless it is given another", func(t *testing.T) {
		t.Parallel()
		settings := h.settings(h.Secret)
		settings.Now = nil
		p, err := h.New(settings)
		require.NoError(t, err)
		header, body := h.good(t, h.Secret, time.Now())
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), d.Deletions[0].ReceivedAt, time.Minute)
	})
}

func (h Harness) sample(t *testing.T) {
	t.Parallel()
	p := h.provider(t, h.Secret)
	header, body := h.good(t, h.Secret, now().Add(-time.Minute))
	d := h.accepted(t, p, header, body)
	require.Len(t, d.Deletions, 1)
	require.Equal(t, externalID, d.Deletions[0].ExternalID)
	if !h.DerivedEventID {
		require.Equal(t, eventID, d.Deletions[0].EventID)
	}
	if !h.Untimed {
		require.Equal(t, now().Add(-time.Minute), d.Deletions[0].OccurredAt)
	}
	require.Zero(t, d.Ignored)

	_, _, err := h.Sample("", provider.Sample{ExternalID: externalID, EventID: eventID, Time: now()})
	require.Error(t, err)
}

func (h Harness) authentication(t *testing.T) {
	t.Parallel()
	p := h.provider(t, h.Secret)
	header, body := h.good(t, h.Secret, now())
	t.Run("another secret", func(t *testing.T) {
		t.Parallel()
		header, body := h.good(t, h.Other, now())
		h.refused(t, p, header, body, h.mismatch())
	})
	t.Run("no headers at all", func(t *testing.T) {
		t.Parallel()
		if len(h.headers()) == 0 {
			h.accepted(t, p, nil, body)
			_, err := p.Receive(nil, nil)
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			return
		}
		h.refused(t, p, nil, body, fault.ReasonMissingHeader)
		h.refused(t, p, http.Header{}, nil, fault.ReasonMissingHeader)
	})
	for _, name := range h.headers() {
		t.Run("missing "+name, func(t *testing.T) {
			t.Parallel()
			changed := header.Clone()
			changed.Del(name)
			h.refused(t, p, changed, body, fault.ReasonMissingHeader)
		})
		t.Run("repeated "+name, func(t *testing.T) {
			t.Parallel()
			changed := header.Clone()
			changed.Add(name, header.Get(name))
			h.refused(t, p, changed, body, fault.ReasonRepeatedHeader)
		})
		t.Run("empty "+name, func(t *testing.T) {
			t.Parallel()
			changed := header.Clone()
			changed.Set(name, "")
			_, err := p.Receive(changed, body)
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
		})
		t.Run("a changed byte in "+name, func(t *testing.T) {
			t.Parallel()
			value := header.Get(name)
			for i := range len(value) {
				changed := header.Clone()
				changed.Set(name, value[:i]+string(value[i]^1)+value[i+1:])
				_, err := p.Receive(changed, body)
				require.Equal(t, fault.Unauthenticated, fault.KindOf(err), "byte %d", i)
			}
		})
	}
}

func (h Harness) rotation(t *testing.T) {
	t.Parallel()
	oldHeader, oldBody := h.good(t, h.Secret, now())
	newHeader, newBody := h.good(t, h.Other, now())
	t.Run("both secrets are taken while both are configured", func(t *testing.T) {
		t.Parallel()
		p := h.provider(t, h.Secret, h.Other)
		h.accepted(t, p, oldHeader, oldBody)
		h.accepted(t, p, newHeader, newBody)
	})
	t.Run("secrets change while it runs", func(t *testing.T) {
		t.Parallel()
		configured := []string{h.Secret}
		settings := h.settings()
		settings.Secrets = func() []string { return configured }
		p, err := h.New(settings)
		require.NoError(t, err)
		h.accepted(t, p, oldHeader, oldBody)

		configured[0] = h.Other // in place, which a cache by reference would miss
		h.accepted(t, p, newHeader, newBody)
		h.refused(t, p, oldHeader, oldBody, h.mismatch())

		configured = append([]string{h.Other, ""}, h.Unusable...)
		h.accepted(t, p, newHeader, newBody)

		for _, values := range [][]string{h.Unusable, {""}, {}, nil} {
			configured = values
			h.refused(t, p, newHeader, newBody, h.mismatch())
		}
	})
}

// headers names those that authenticate.
func (h Harness) headers() []string {
	if h.Scheme != nil {
		return h.Scheme.Headers
	}
	if h.Svix != nil {
		return []string{h.Svix.ID, h.Svix.Timestamp, h.Svix.Signature}
	}
	return []string{h.Token.Header}
}

// mismatch is the reason for a wrong key or token.
func (h Harness) mismatch() string {
	if h.Svix != nil || h.Scheme != nil {
		return fault.ReasonBadSignature
	}
	return fault.ReasonBadToken
}
