package signature_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type keyed interface {
	SetKeys(values []string) error
	CheckKey(value string) error
	HasKeys() bool
}

// with returns the scheme with these keys.
func with[S keyed](tb testing.TB, scheme S, values ...string) S {
	tb.Helper()
	require.NoError(tb, scheme.SetKeys(values))
	return scheme
}

func TestAllKeysAreTakenOrNone(t *testing.T) {
	t.Parallel()
	s := signature.NewPlainHMAC("X-Signature")
	require.False(t, s.HasKeys())
	require.NoError(t, s.CheckKey(textKey))
	require.False(t, s.HasKeys(), "checking sets nothing")
	require.NoError(t, s.SetKeys([]string{textKey}))
	require.True(t, s.HasKeys())
	require.Error(t, s.SetKeys([]string{textKey, "short"}))
	require.True(t, s.HasKeys())
	require.NoError(t, s.SetKeys(nil))
	require.False(t, s.HasKeys())
}
