package config_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
)

func TestSecretPrintsItselfRedacted(t *testing.T) {
	t.Parallel()
	secret := config.Secret("s3cr3t-marker")
	source := config.Static("X", "s3cr3t-marker")
	require.Equal(t, "s3cr3t-marker", secret.Reveal())
	require.Equal(t, "s3cr3t-marker", source.Value())
	holder := struct {
		Secret config.Secret
		Source *config.SecretSource
		Many   []config.Secret
		Named  map[string]*config.SecretSource
	}{secret, source, []config.Secret{secret}, map[string]*config.SecretSource{"a": source}}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
		for _, value := range []any{secret, source, holder, &holder} {
			require.NotContains(t, fmt.Sprintf(verb, value), "s3cr", verb)
			require.NotContains(t, fmt.Sprintf(verb, value), fmt.Sprintf("%x", "s3cr"), verb)
		}
	}
	for _, text := range []string{secret.String(), secret.GoString(), source.String(), source.GoString()} {
		require.Equal(t, "[redacted]", text)
	}
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	require.JSONEq(t, `{"Secret":"[redacted]","Source":"[redacted]","Many":["[redacted]"],"Named":{"a":"[redacted]"}}`, string(encoded))
	text, err := secret.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "[redacted]", string(text))
}

func TestSecretFromItsFile(t *testing.T) {
	t.Parallel()
	w := with("POLAR_ACCESS_TOKEN_FILE", "/run/token", "DATABASE_URL_FILE", "/run/url", "CLERK_WEBHOOK_SIGNING_SECRET_FILE", "/run/keys", "ADMIN_PASSWORD_FILE", "/run/password")
	w.files = map[string]string{
		"/run/token":    goodToken + "\r\n",
		"/run/url":      "postgres://u:p@h/d\n",
		"/run/keys":     goodKey + "\n\n" + otherKey + ",\n",
		"/run/password": "  pass, word ✓ \n",
	}
	c := load(t, w)
	require.Equal(t, goodToken, c.Polar.AccessToken.Value())
	require.Equal(t, "postgres://u:p@h/d", c.Database.URL.Reveal())
	require.Equal(t, []string{goodKey, otherKey}, c.Clerk.SigningSecret.Values())
	require.Equal(t, []string{"  pass, word ✓ "}, c.HTTP.AdminPassword.Values())
}

func TestSecretFileProblems(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"POLAR_ACCESS_TOKEN", "DATABASE_URL", "AUTH0_WEBHOOK_TOKEN"} {
		tests := []struct {
			name, value, file, content string
			want                       string
		}{
			{"both set", goodToken, "/run/s", goodToken, name + " and " + name + "_FILE are both set; unset one of them."},
			{"missing file", "", "/run/marker", "", name + " comes from a file that cannot be read (file does not exist)."},
			{"empty file", "", "/run/s", " \n", name + " comes from a file that is empty."},
		}
		for _, tt := range tests {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := with(name, tt.value, name+"_FILE", tt.file)
				if tt.content != "" {
					w.files[tt.file] = tt.content
				}
				_, err := w.parse(nil, everything)
				require.Equal(t, []string{tt.want}, problems(t, err))
			})
		}
	}
}

func TestUnknownReadErrorShowsNothing(t *testing.T) {
	t.Parallel()
	env := with("ADMIN_PASSWORD_FILE", "/run/s").env()
	env.ReadFile = func(string) ([]byte, error) { return nil, errDisk }
	var h config.HTTP
	err := config.NewLoader(env).Load(&h)
	require.ErrorContains(t, err, "ADMIN_PASSWORD comes from a file that cannot be read (unknown error).")
}

// lookTwice is what a watcher does until a content that stays is judged.
func lookTwice(source *config.SecretSource) (changed bool, err error) {
	first, err1 := source.Look()
	second, err2 := source.Look()
	return first || second, errors.Join(err1, err2)
}

func TestARotatedFile(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*world, *config.SecretSource) {
		t.Helper()
		w := with("CLERK_WEBHOOK_SIGNING_SECRET_FILE", "/run/keys")
		w.write("/run/keys", goodKey)
		return w, load(t, w).Clerk.SigningSecret
	}
	t.Run("is taken when two looks found the same", func(t *testing.T) {
		t.Parallel()
		w, source := begin(t)
		w.write("/run/keys", goodKey+"\n"+otherKey)
		changed, err := source.Look()
		require.NoError(t, err)
		require.False(t, changed)
		require.Equal(t, []string{goodKey}, source.Values())
		changed, err = source.Look()
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, []string{goodKey, otherKey}, source.Values())
	})
	t.Run("is not taken while it is being written", func(t *testing.T) {
		t.Parallel()
		w, source := begin(t)
		for _, half := range []string{"", otherKey[:30], otherKey[:36]} { // the last two would be keys
			w.write("/run/keys", half)
			changed, err := source.Look()
			require.NoError(t, err)
			require.False(t, changed)
			require.Equal(t, []string{goodKey}, source.Values())
		}
		w.write("/run/keys", otherKey)
		changed, err := lookTwice(source)
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, []string{otherKey}, source.Values())
	})
	t.Run("is not complained of when it is gone for a moment", func(t *testing.T) {
		t.Parallel()
		w, source := begin(t)
		w.remove("/run/keys")
		_, err := source.Look()
		require.NoError(t, err)
		w.write("/run/keys", otherKey)
		changed, err := lookTwice(source)
		require.NoError(t, err)
		require.True(t, changed)
	})
}

func TestUnusableNewValueKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	w := with("POLAR_ACCESS_TOKEN_FILE", "/run/token")
	w.write("/run/token", goodToken)
	source := load(t, w).Polar.AccessToken
	var reports []string

	poll := func(content string) {
		w.write("/run/token", content)
		for range 3 {
			if changed, err := source.Look(); err != nil {
				require.False(t, changed)
				reports = append(reports, err.Error())
			}
			require.Equal(t, goodToken, source.Value())
		}
	}
	poll("marker")
	require.Equal(t, []string{"POLAR_ACCESS_TOKEN must be at least 16 characters long; the old value stays in force"}, reports)
	poll("\n")
	require.Len(t, reports, 2)
	poll(goodToken)
	require.Len(t, reports, 2)
	poll("\n")
	require.Equal(t, "POLAR_ACCESS_TOKEN comes from a file that is empty; the old value stays in force", reports[2])
	require.NotContains(t, strings.Join(reports, ""), "marker")
}

// TestEveryWebhookSecretIsRotatedByItsProvidersRules has a value for each that
// looks like a secret and is none to its provider.
func TestEveryWebhookSecretIsRotatedByItsProvidersRules(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, good, bad string }{
		{"CLERK_WEBHOOK_SIGNING_SECRET", goodKey, publicKey},
		{"STYTCH_WEBHOOK_SECRET", goodKey, publicKey},
		{"STANDARD_WEBHOOK_SECRET", goodKey, "whpk_" + base64.StdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...))},
		{"STANDARD_WEBHOOK_SECRET", publicKey, "whsk_" + strings.TrimPrefix(publicKey, "whpk_")},
		{"WORKOS_WEBHOOK_SECRET", goodToken, goodToken + "\u200b"},
		{"ZITADEL_WEBHOOK_SECRET", goodToken, goodToken + "\u200b"},
		{"LOGTO_WEBHOOK_SECRET", goodToken, goodToken + "\u200b"},
		{"KEYCLOAK_WEBHOOK_SECRET", goodToken, goodToken + "\u200b"},
		{"FUSIONAUTH_WEBHOOK_KEY", goodToken, "https://auth.example.com/.well-known/jwks.json"},
		{"AUTH0_WEBHOOK_TOKEN", goodToken, "Bearer " + goodToken},
		{"AUTH0_LOGS_TOKEN", goodToken, "Basic dXNlcjpwYXNz"},
		{"OKTA_WEBHOOK_TOKEN", goodToken, "Basic dXNlcjpwYXNz"},
		{"SUPABASE_WEBHOOK_TOKEN", goodToken, "Bearer " + goodToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := with(tt.name+"_FILE", "/run/secret", "AUTH0_LOGS_UNCONFIRMED", "true")
			w.write("/run/secret", tt.good)
			source := secretOf(t, load(t, w), tt.name)
			w.write("/run/secret", tt.bad)
			changed, err := lookTwice(source)
			require.ErrorContains(t, err, tt.name+" must ")
			require.ErrorContains(t, err, "; the old value stays in force")
			require.False(t, changed)
			require.Equal(t, []string{tt.good}, source.Values())
		})
	}
}

func secretOf(t *testing.T, c *config.Config, name string) *config.SecretSource {
	t.Helper()
	for _, secret := range c.Secrets() {
		if secret.Name() == name {
			return secret
		}
	}
	require.Fail(t, "no such secret", name)
	return nil
}

func TestSymlinkSwap(t *testing.T) {
	t.Parallel()
	// What Kubernetes does: token -> ..data/token, ..data -> ..1, and a rename
	// puts ..data -> ..2 in its place.
	dir := t.TempDir()
	for version, content := range map[string]string{"..1": goodToken, "..2": goodToken + "-new"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version, "token"), []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/token", filepath.Join(dir, "token")))

	w := with("AUTH0_WEBHOOK_TOKEN_FILE", filepath.Join(dir, "token"))
	env := w.env()
	env.ReadFile = os.ReadFile
	var a config.Auth0
	a.IDField = "/data/object/user_id"
	require.NoError(t, config.NewLoader(env).Load(&a))
	require.Equal(t, goodToken, a.WebhookToken.Value())

	require.NoError(t, os.Symlink("..2", filepath.Join(dir, "..tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	changed, err := lookTwice(a.WebhookToken)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, goodToken+"-new", a.WebhookToken.Value())
}

func TestSecretSourceIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	w := with("CLERK_WEBHOOK_SIGNING_SECRET_FILE", "/run/keys")
	w.write("/run/keys", goodKey)
	source := load(t, w).Clerk.SigningSecret
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 200 {
				if i == 0 {
					w.write("/run/keys", otherKey)
				}
				_, err := source.Look()
				if err != nil || len(source.Values()) != 1 {
					t.Error("a value got lost")
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, otherKey, source.Value())
}

func TestReadingHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	w := with("ADMIN_PASSWORD_FILE", "/run/p")
	env, hang := w.env(), false
	env.ReadFile = func(string) ([]byte, error) {
		if hang {
			close(entered)
			<-release
		}
		return []byte("correct horse battery"), nil
	}
	h := config.HTTP{ListenAddr: ":1", AdminAddr: ":2"}
	require.NoError(t, config.NewLoader(env).Load(&h))
	hang = true
	done := make(chan error)
	go func() {
		_, err := h.AdminPassword.Look()
		done <- err
	}()
	<-entered
	require.Equal(t, "correct horse battery", h.AdminPassword.Value(), "the old value, at once")
	close(release)
	require.NoError(t, <-done)
}
