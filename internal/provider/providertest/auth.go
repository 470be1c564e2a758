package providertest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func (h *Harness) setUp(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	t.Run("says what it is", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, h.name, p.Name)
		require.GreaterOrEqual(t, p.MaxBody, int64(provider.MaxEvent))
		require.NotEmpty(t, p.Title)
		require.Contains(t, p.Docs, "https://")
	})
	t.Run("lets strangers send little", func(t *testing.T) {
		t.Parallel()
		if p.MaxBody <= provider.MaxEvent {
			return
		}
		forged, _ := h.good(t, h.other(), time.Now())
		require.Equal(t, fault.Unauthenticated, fault.KindOf(p.Scheme.CheckHeader(forged)), "large bodies are for known senders")
	})
	t.Run("is enabled by its secret alone", func(t *testing.T) {
		t.Parallel()
		require.True(t, p.Enabled())
		without, err := h.open(now, nil, nil)
		require.NoError(t, err)
		require.False(t, without.Enabled())
		header, body := h.good(t, h.secret(), now())
		_, err = without.Receive(header, body)
		require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
	})
	t.Run("refuses an unusable secret, also beside a good one", func(t *testing.T) {
		t.Parallel()
		require.NotEmpty(t, h.variant.UnusableSecrets)
		for _, secret := range h.variant.UnusableSecrets {
			if h.variant.SecretEnv != "" { // which the scheme's keys are not from
				_, err := h.open(now, []string{secret}, nil)
				require.ErrorContains(t, err, h.variant.SecretEnv+" must ", "%q", secret)
				h.noSecrets(t, err)
				continue
			}
			for _, values := range [][]string{{secret}, {h.secret(), secret}} {
				err := p.Scheme.SetKeys(values)
				require.ErrorContains(t, err, "must ", "%q", secret)
				h.noSecrets(t, err)
			}
		}
		require.Error(t, p.Scheme.CheckKey(""))
		require.NoError(t, h.Check(t), "what was refused changed nothing")
	})
	t.Run("has rules for its settings", h.rules)
	t.Run("separates secrets by line breaks", func(t *testing.T) {
		t.Parallel()
		if p.Secret == nil || h.variant.SecretEnv != "" {
			return
		}
		both := h.secret() + "," + h.other()
		want := []string{both}
		if h.description.CommaSeparates {
			want = []string{h.secret(), h.other()}
		}
		require.Equal(t, want, p.SplitSecret(both))
		require.Equal(t, []string{h.secret(), h.other()}, p.SplitSecret(h.secret()+"\r\n"+h.other()+"\n"))
	})
}

// rules requires of each value what the description says of it.
func (h *Harness) rules(t *testing.T) {
	t.Parallel()
	for name, values := range h.variant.Rules {
		for value, want := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Parallel()
				secrets := []string{h.secret()}
				if h.provider(t).KeysURLEnv == name {
					secrets = nil // it is one or the other
				}
				_, err := h.open(now, secrets, map[string]string{name: value})
				if want == "" {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				require.Equal(t, want, strings.Replace(err.Error(), fmt.Sprintf(" (it is %q)", value), "", 1))
			})
		}
	}
}

// Check receives a genuine delivery.
func (h *Harness) Check(tb testing.TB) error {
	tb.Helper()
	header, body := h.good(tb, h.secret(), now())
	_, err := h.provider(tb).Receive(header, body)
	return err
}

func (h *Harness) sample(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now().Add(-time.Minute))
	d := h.accepted(t, p, header, body)
	require.Len(t, d.Deletions, 1)
	require.Equal(t, externalID, d.Deletions[0].ExternalID)
	if !h.description.DerivedEventID {
		require.Equal(t, eventID, d.Deletions[0].EventID)
	}
	if !h.description.Untimed {
		require.Equal(t, now().Add(-time.Minute), d.Deletions[0].OccurredAt)
	}
	require.Zero(t, d.Ignored)

	_, _, err := p.Scheme.Sign("", eventID, now(), body)
	require.Error(t, err)
}

func (h *Harness) authentication(t *testing.T) {
	t.Parallel()
	p := h.provider(t)
	header, body := h.good(t, h.secret(), now())
	t.Run("another secret", func(t *testing.T) {
		t.Parallel()
		header, body := h.good(t, h.other(), now())
		h.refused(t, p, header, body, h.mismatch(t))
	})
	t.Run("no headers at all", func(t *testing.T) {
		t.Parallel()
		if len(h.headers(t)) == 0 {
			h.accepted(t, p, nil, body)
			_, err := p.Receive(nil, nil)
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			return
		}
		h.refused(t, p, nil, body, fault.ReasonMissingHeader)
		h.refused(t, p, http.Header{}, nil, fault.ReasonMissingHeader)
	})
	for _, name := range h.headers(t) {
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

func (h *Harness) rotation(t *testing.T) {
	t.Parallel()
	if h.variant.SecretEnv != "" { // an address, which cannot change
		return
	}
	oldHeader, oldBody := h.good(t, h.secret(), now())
	newHeader, newBody := h.good(t, h.other(), now())
	p := h.with(t, h.secret())
	keys := p.Scheme
	h.accepted(t, p, oldHeader, oldBody)
	h.refused(t, p, newHeader, newBody, h.mismatch(t))

	require.NoError(t, keys.SetKeys([]string{h.secret(), h.other()}), "both are taken while both are configured")
	h.accepted(t, p, oldHeader, oldBody)
	h.accepted(t, p, newHeader, newBody)

	require.NoError(t, keys.SetKeys([]string{h.other()}))
	h.accepted(t, p, newHeader, newBody)
	h.refused(t, p, oldHeader, oldBody, h.mismatch(t))

	require.Error(t, keys.SetKeys(append([]string{h.secret()}, h.variant.UnusableSecrets...)))
	h.accepted(t, p, newHeader, newBody)
	h.refused(t, p, oldHeader, oldBody, h.mismatch(t))

	require.NoError(t, keys.SetKeys(nil))
	h.refused(t, p, newHeader, newBody, h.mismatch(t))
}

// headers names those that authenticate, none when the body does.
func (h *Harness) headers(tb testing.TB) []string {
	tb.Helper()
	header, _ := h.good(tb, h.secret(), now())
	return slices.DeleteFunc(slices.Sorted(maps.Keys(header)), func(name string) bool { return name == "Content-Type" })
}

// svixHeaders is the header set of Svix' signatures, nil for another scheme.
func (h *Harness) svixHeaders(tb testing.TB) *signature.HeaderSet {
	tb.Helper()
	for _, set := range []signature.HeaderSet{signature.SvixHeaders(), signature.StandardHeaders()} {
		header, _ := h.good(tb, h.secret(), now())
		if strings.HasPrefix(header.Get(set.Signature), "v1,") {
			return &set
		}
	}
	return nil
}

// isToken says whether a static token authenticates.
func (h *Harness) isToken(tb testing.TB) bool {
	tb.Helper()
	_, ok := h.provider(tb).Scheme.(*signature.Token)
	return ok
}

// mismatch is the reason for a wrong key or token.
func (h *Harness) mismatch(tb testing.TB) fault.Reason {
	tb.Helper()
	if h.isToken(tb) {
		return fault.ReasonBadToken
	}
	return fault.ReasonBadSignature
}
