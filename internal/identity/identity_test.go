package identity_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	svixSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	token      = "marker-token-0123456789abcdef"
	issuer     = "https://issuer.example.com"
)

func TestEveryEntryIsComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range identity.Entries() {
		require.Regexp(t, `^[a-z0-9]+(-[a-z0-9]+)*$`, e.Name, "it stands in a path")
		require.Regexp(t, `^[A-Z0-9_]+$`, e.SecretEnv)
		require.False(t, seen[e.Name] || seen[e.SecretEnv], "%s is not unique", e.Name)
		seen[e.Name], seen[e.SecretEnv] = true, true

		found, ok := identity.Lookup(e.Name)
		require.True(t, ok)
		require.Equal(t, e.Info, found.Info)

		s := settings(e)
		key := secret(e)
		if key == issuer { // whose samples are signed with a key that it publishes
			s.Transport, key = publishes(t)
		}
		p, err := e.New(s)
		require.NoError(t, err)
		require.Equal(t, e.Name, p.Name())
		header, body, err := e.Sample(key, identity.Sample{ExternalID: "a", EventID: "e", Time: time.Now()})
		require.NoError(t, err)
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Equal(t, e.Name, d.Deletions[0].Provider)
	}
	_, ok := identity.Lookup("Clerk")
	require.False(t, ok)
}

func TestEveryProviderHasTests(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(".")
	require.NoError(t, err)
	count := 0
	for _, folder := range folders {
		switch folder.Name() {
		case "sig", "payload", "provider", "identitytest", "testdata":
			continue
		}
		if folder.IsDir() {
			count++
			require.DirExists(t, folder.Name()+"/testdata", "golden requests")
		}
	}
	require.Len(t, identity.Entries(), count, "a provider without a registry line")
}

func TestNewSetsUpWhatIsEnabled(t *testing.T) {
	t.Parallel()
	enabled := map[string]identity.Settings{}
	for _, e := range identity.Entries() {
		enabled[e.Name] = settings(e)
	}
	providers, err := identity.New(enabled, nil)
	require.NoError(t, err)
	require.Len(t, providers, len(identity.Entries()))
	for i, e := range identity.Entries() {
		require.Equal(t, e.Name, providers[i].Name())
	}
	providers, err = identity.New(nil, nil)
	require.NoError(t, err)
	require.Empty(t, providers)
}

func TestNewReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	providers, err := identity.New(map[string]identity.Settings{
		"clerk":      {Secrets: values("marker")},
		"auth0":      {Secrets: values("marker")},
		"auth0-logs": {},
		"octa":       {},
	}, nil)
	require.Nil(t, providers)
	for _, want := range []string{"CLERK_WEBHOOK_SIGNING_SECRET", "AUTH0_WEBHOOK_TOKEN", "AUTH0_LOGS_TOKEN is required", `"octa"`} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "marker")
}

func TestASecretCanBeCheckedBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	for _, e := range identity.Entries() {
		require.NoError(t, e.CheckSecret(secret(e)))
		require.ErrorContains(t, e.CheckSecret("marker"), e.SecretEnv)
		require.NotContains(t, e.CheckSecret("marker").Error(), "marker")
	}
}

func TestIDsThatMissThePatternAreIgnored(t *testing.T) {
	t.Parallel()
	body := []byte(`{"data":{"type":"sdu","user_id":"auth0|1"}}
		{"data":{"type":"sdu","user_id":"waad|2"}}
		{"data":{"type":"sdu","user_id":""}}
		{"data":{"type":"fdu","user_id":"auth0|3"}}
		{"data":{"type":"sdu","user_id":"auth0|4"}}`)
	header := http.Header{"Authorization": {token}}
	receive := func(pattern *regexp.Regexp) event.Delivery {
		providers, err := identity.New(map[string]identity.Settings{"auth0-logs": {Secrets: values(token)}}, pattern)
		require.NoError(t, err)
		require.NoError(t, providers[0].CheckHeader(header))
		require.Equal(t, int64(8<<20), providers[0].MaxBody())
		d, err := providers[0].Receive(header, body)
		require.NoError(t, err)
		_, err = providers[0].Receive(http.Header{}, body)
		require.Error(t, err)
		return d
	}
	all := receive(nil)
	require.Len(t, all.Deletions, 4)
	require.Equal(t, event.IgnoreOtherType, all.IgnoreReason)

	some := receive(regexp.MustCompile(`^auth0\|`))
	require.Equal(t, []string{"auth0|1", "", "auth0|4"}, externalIDs(some), "the unusable id is kept for a human")
	require.Equal(t, 2, some.Ignored)
	require.Equal(t, event.IgnorePattern, some.IgnoreReason)

	every := receive(regexp.MustCompile(``))
	require.Equal(t, externalIDs(all), externalIDs(every))
	require.Equal(t, 1, every.Ignored)
}

func externalIDs(d event.Delivery) []string {
	var ids []string
	for _, one := range d.Deletions {
		ids = append(ids, one.ExternalID)
	}
	return ids
}

func settings(e identity.Entry) identity.Settings {
	return identity.Settings{Secrets: values(secret(e))}
}

func secret(e identity.Entry) string {
	for _, s := range []string{token, svixSecret} {
		if e.CheckSecret(s) == nil {
			return s
		}
	}
	return issuer
}

// publishes returns an issuer of public keys and the private half of its key.
func publishes(t testing.TB) (http.RoundTripper, string) {
	t.Helper()
	private, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(keys)), Request: r}, nil
	}), private
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func values(s ...string) func() []string { return func() []string { return s } }
