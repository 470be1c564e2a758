package provider_test

import (
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestEverySpecIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range all() {
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, s.Name, "it stands in a path")
		require.False(t, seen[s.Name] || seen[s.EnabledBy], "%s is not unique", s.Name)
		seen[s.Name], seen[s.EnabledBy] = true, true
		settings := map[string]bool{}
		for _, entry := range (&config.Config{Providers: []any{s.Settings}}).Summary() {
			settings[entry.Name] = true
		}
		require.True(t, settings[s.EnabledBy], "%s is no setting of %s", s.EnabledBy, s.Name)
		require.True(t, s.KeysURLEnv == "" || settings[s.KeysURLEnv])
		require.Equal(t, s.KeysURLEnv == "", s.KeysURL == nil)
		require.Equal(t, s.EnabledBy == s.KeysURLEnv, s.Secret == nil)
		require.FileExists(t, strings.ReplaceAll(s.Name, "-", "_")+".go", "one file for each")
		require.DirExists(t, "testdata/"+s.Name, "golden requests")

		found, ok := all().Lookup(s.Name)
		require.True(t, ok)
		require.Equal(t, s.Title, found.Title)
	}
	folders, err := os.ReadDir("testdata")
	require.NoError(t, err)
	folders = slices.DeleteFunc(folders, func(f os.DirEntry) bool { return f.Name() == "fuzz" }) // inputs that were found
	require.Len(t, all(), len(folders), "a provider without a line in the registry")
	_, ok := all().Lookup("Clerk")
	require.False(t, ok)
}

// Every field is a setting, a secret, or says that it is neither.
func TestEverySettingIsTagged(t *testing.T) {
	t.Parallel()
	for _, settings := range all().Settings() {
		for field := range reflect.TypeOf(settings).Elem().Fields() {
			require.NotEmpty(t, field.Tag.Get("help"), field.Name)
			if field.Tag.Get("secret") != "" {
				require.Equal(t, "-", field.Tag.Get("kong"))
				continue
			}
			require.Equal(t, "setting", field.Tag.Get("type"), field.Name)
			require.NotEmpty(t, field.Tag.Get("env"), field.Name)
			require.NotEmpty(t, field.Tag.Get("name"), field.Name)
		}
	}
}

func TestEnabledReturnsWhatIsEnabled(t *testing.T) {
	t.Parallel()
	registry := enabledAll(t)
	require.Equal(t, registry.Names(), registry.Enabled().Names())
	registry, err := load(provider.Options{})
	require.NoError(t, err)
	require.Empty(t, registry.Enabled())
}

func TestLoadReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(provider.Options{}, "CLERK_WEBHOOK_SIGNING_SECRET", "marker", "AUTH0_WEBHOOK_TOKEN", "marker", "KINDE_ISSUER_URL", "marker-astray")
	for _, want := range []string{"CLERK_WEBHOOK_SIGNING_SECRET must", "AUTH0_WEBHOOK_TOKEN must", "KINDE_ISSUER_URL must"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "marker")
}

func TestASecretCanBeCheckedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	for _, s := range all() {
		require.NoError(t, s.Scheme.CheckKey(secretFor(s)))
		require.ErrorContains(t, s.Scheme.CheckKey("marker"), "must ")
		require.NotContains(t, s.Scheme.CheckKey("marker").Error(), "marker")
		require.False(t, s.Enabled(), "checking sets nothing")
	}
}

func TestIDsThatMissThePatternAreIgnored(t *testing.T) {
	t.Parallel()
	body := []byte(`{"data":{"type":"sdu","user_id":"auth0|1"}}
		{"data":{"type":"sdu","user_id":"waad|2"}}
		{"data":{"type":"sdu","user_id":""}}
		{"data":{"type":"fdu","user_id":"auth0|3"}}
		{"data":{"type":"sdu","user_id":"auth0|4"}}`)
	p := enabled(t, "auth0-logs", "AUTH0_LOGS_TOKEN", someToken)
	receive := func(pattern *regexp.Regexp) deletion.Delivery {
		header := http.Header{"Authorization": {someToken}}
		require.NoError(t, p.Scheme.CheckHeader(header))
		require.Equal(t, int64(8<<20), p.MaxBody)
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		_, err = p.Receive(http.Header{}, body)
		require.Error(t, err)
		return d.Matching(pattern)
	}
	externalIDs := func(d deletion.Delivery) []string {
		var ids []string
		for _, one := range d.Deletions {
			ids = append(ids, one.ExternalID)
		}
		return ids
	}
	all := receive(nil)
	require.Len(t, all.Deletions, 4)
	require.Equal(t, deletion.IgnoreOtherType, all.IgnoreReason)

	some := receive(regexp.MustCompile(`^auth0\|`))
	require.Equal(t, []string{"auth0|1", "", "auth0|4"}, externalIDs(some), "the unusable id is kept for a human")
	require.Equal(t, 2, some.Ignored)
	require.Equal(t, deletion.IgnorePattern, some.IgnoreReason)

	every := receive(regexp.MustCompile(``))
	require.Equal(t, externalIDs(all), externalIDs(every))
	require.Equal(t, 1, every.Ignored)
}

// enabledAll returns every provider, enabled.
func enabledAll(t testing.TB) provider.Registry {
	t.Helper()
	_, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	var pairs []string
	for _, s := range all() {
		pairs = append(pairs, s.EnabledBy, secretFor(s))
	}
	registry, err := load(provider.Options{Now: time.Now, Transport: publishes(keys)}, pairs...)
	require.NoError(t, err)
	return registry
}

// secretFor returns what the provider takes for a secret.
func secretFor(s *provider.Spec) string {
	for _, secret := range []string{someToken, svixKey} {
		if s.Scheme.CheckKey(secret) == nil {
			return secret
		}
	}
	return kindeIssuer
}
