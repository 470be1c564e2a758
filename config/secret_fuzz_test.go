package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/identity"
)

// FuzzRotatedSecret puts arbitrary content into the files of a running
// program's secrets. The old values stay in force, and the one problem shows
// nothing of the content, or every new value serves its provider.
func FuzzRotatedSecret(f *testing.F) {
	for _, seed := range []string{
		goodKey, goodKey + "\n" + otherKey, goodToken, "", "\n", ",", "whsec_", "whsec_AAAA", "whsec_AAECAwQFBgcICQoLDA0O", "Bearer " + goodToken, goodToken + " ", "Basic " + goodToken,
		"\xff\xfe" + goodKey, goodKey + "\x00", "a\r\nb", " " + goodKey + " , " + otherKey,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, content := range []string{text, "MARKER7391" + text, text + "MARKER7391"} {
			w := with("CLERK_WEBHOOK_SIGNING_SECRET_FILE", "/run/clerk", "AUTH0_WEBHOOK_TOKEN_FILE", "/run/auth0",
				"AUTH0_LOGS_TOKEN_FILE", "/run/logs", "AUTH0_LOGS_UNCONFIRMED", "true")
			w.files = map[string]string{"/run/clerk": goodKey, "/run/auth0": goodToken, "/run/logs": goodToken}
			i := load(t, w).Identity
			rotate(t, w, content, "/run/clerk", "clerk", i.Clerk.SigningSecret)
			rotate(t, w, content, "/run/auth0", "auth0", i.Auth0.WebhookToken)
			rotate(t, w, content, "/run/logs", "auth0-logs", i.Auth0.LogsToken)
		}
	})
}

func rotate(t *testing.T, w *world, content, path, provider string, source *config.SecretSource) {
	t.Helper()
	old := source.Values()
	w.write(path, content)
	changed, err := lookTwice(source)
	values := source.Values()
	if err != nil {
		require.False(t, changed)
		require.Equal(t, old, values)
		require.NotContains(t, err.Error(), "MARKER7391")
		return
	}
	require.NotEmpty(t, values)
	entry, ok := identity.Lookup(provider)
	require.True(t, ok)
	for _, value := range values {
		require.NoError(t, entry.CheckSecret(value), "what the settings take, the provider takes")
	}
	changed, err = lookTwice(source)
	require.NoError(t, err)
	require.False(t, changed, "looking again changes nothing")
}
