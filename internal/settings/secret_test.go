package settings_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
)

func TestSecretPrintsItselfRedacted(t *testing.T) {
	t.Parallel()
	source := config.NewLoader(with("X", "s3cr3t-marker").env()).Secret("X", config.One(func(string) error { return nil }))
	require.Equal(t, "s3cr3t-marker", source.Value())
	holder := struct {
		Source *config.SecretSource
		Many   []*config.SecretSource
		Named  map[string]*config.SecretSource
	}{source, []*config.SecretSource{source}, map[string]*config.SecretSource{"a": source}}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
		for _, value := range []any{source, holder, &holder} {
			require.NotContains(t, fmt.Sprintf(verb, value), "s3cr", verb)
			require.NotContains(t, fmt.Sprintf(verb, value), fmt.Sprintf("%x", "s3cr"), verb)
		}
	}
	for _, text := range []string{source.String(), source.GoString()} {
		require.Equal(t, "[redacted]", text)
	}
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	require.JSONEq(t, `{"Source":"[redacted]","Many":["[redacted]"],"Named":{"a":"[redacted]"}}`, string(encoded))
	text, err := source.MarshalText()
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
	require.Equal(t, "postgres://u:p@h/d", c.Database.Address())
	require.Equal(t, []string{goodKey, otherKey}, c.Providers.Clerk().SigningSecret.Values())
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
