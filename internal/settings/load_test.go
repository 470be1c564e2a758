package settings_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, with())

	require.Equal(t, "https://api.polar.sh", c.Polar.Endpoint().String())
	require.False(t, c.Polar.Anonymize)
	require.False(t, c.Polar.AnonymizeSet)
	require.Equal(t, 60, c.Polar.RateLimit)
	require.Equal(t, 4, c.Polar.Concurrency)
	require.Equal(t, 5*time.Second, c.Polar.Timeout)
	require.Equal(t, "id", c.Providers.Clerk().IDField)
	require.Equal(t, "/data/object/user_id", c.Providers.Auth0().IDField)
	require.False(t, c.Providers.Auth0Logs().Unconfirmed)
	require.Nil(t, c.Work.ExternalIDPattern)
	require.Equal(t, 720*time.Hour, c.Work.Retention)
	require.False(t, c.Work.DryRun)
	require.Equal(t, "sqlite:polar-bridge.db", c.Database.Address())
	require.True(t, c.Database.AutoMigrate)
	require.Equal(t, ":8080", c.HTTP.ListenAddr)
	require.Equal(t, "127.0.0.1:9090", c.HTTP.AdminAddr)
	require.Empty(t, c.HTTP.TrustedProxies)
	require.Zero(t, c.HTTP.ShutdownDelay)
	require.Equal(t, config.Log{Level: "info", Format: "json", ExternalID: "plain"}, c.Log)
	for _, secret := range c.Secrets() {
		require.False(t, secret.IsSet(), secret.Name())
		require.Empty(t, secret.Value(), secret.Name())
	}
}

func TestFlagsWinOverTheEnvironmentAndThatOverDefaults(t *testing.T) {
	t.Parallel()
	w := with("POLAR_TIMEOUT", "3s", "POLAR_CONCURRENCY", "7", "LISTEN_ADDR", ":1000", "PORT", "2000", "POLAR_RATE_LIMIT", "")
	c := load(t, w, "--polar-timeout=2s", "--no-auto-migrate", "--dry-run")
	require.Equal(t, 2*time.Second, c.Polar.Timeout)
	require.Equal(t, 7, c.Polar.Concurrency)
	require.Equal(t, ":1000", c.HTTP.ListenAddr)
	require.Equal(t, 60, c.Polar.RateLimit, "an empty variable counts as unset")
	require.False(t, c.Database.AutoMigrate)
	require.True(t, c.Work.DryRun)
}

func TestFlagHidesABadVariable(t *testing.T) {
	t.Parallel()
	c := load(t, with("POLAR_TIMEOUT", "nonsense"), "--polar-timeout", "2s")
	require.Equal(t, 2*time.Second, c.Polar.Timeout)
}

func TestTheProcessEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("POLAR_CONCURRENCY", "9")
	require.Equal(t, 4, load(t, with()).Polar.Concurrency)
}

func TestPort(t *testing.T) {
	t.Parallel()
	require.Equal(t, ":2000", load(t, with("PORT", "2000")).HTTP.ListenAddr)
	require.Equal(t, ":3000", load(t, with("PORT", "2000"), "--listen-addr=:3000").HTTP.ListenAddr)
}

func TestAnonymizeIsUnsetOrChosen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		environment *environment
		args        []string
		value       bool
		present     bool
	}{
		{name: "unset", environment: with()},
		{name: "empty", environment: with("POLAR_ANONYMIZE", "")},
		{name: "false", environment: with("POLAR_ANONYMIZE", "false"), present: true},
		{name: "true", environment: with("POLAR_ANONYMIZE", "TRUE"), value: true, present: true},
		{name: "flag alone", environment: with(), args: []string{"--polar-anonymize"}, value: true, present: true},
		{name: "flag false", environment: with("POLAR_ANONYMIZE", "true"), args: []string{"--polar-anonymize=false"}, present: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, tt.environment, tt.args...)
			require.Equal(t, tt.value, c.Polar.Anonymize)
			require.Equal(t, tt.present, c.Polar.AnonymizeSet)
		})
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	want := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::1/128"),
	}
	require.Equal(t, want, load(t, with("TRUSTED_PROXIES", "10.1.2.3/8, 192.0.2.7,2001:db8::1,")).HTTP.TrustedProxies)
	require.Equal(t, want, load(t, with("TRUSTED_PROXIES", "::/0"), "--trusted-proxies=10.0.0.0/8,192.0.2.7", "--trusted-proxies=2001:db8::1").HTTP.TrustedProxies)
}

func TestPatternIsNotAnchored(t *testing.T) {
	t.Parallel()
	c := load(t, with("EXTERNAL_ID_PATTERN", "user_[0-9]+"))
	require.True(t, c.Work.ExternalIDPattern.MatchString("x-user_1-y"))
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	require.Equal(t, "https://sandbox-api.polar.sh", func() string { return load(t, with("POLAR_SERVER", "sandbox")).Polar.Endpoint().String() }())
	require.Equal(t, "http://127.0.0.1:4000/polar", load(t, with("POLAR_SERVER", "sandbox", "POLAR_BASE_URL", "http://127.0.0.1:4000/polar/")).Polar.Endpoint().String())
}

func TestCommandsLoadOnlyTheirPart(t *testing.T) {
	t.Parallel()
	w := with("POLAR_TIMEOUT", "nonsense", "RETENTION", "1h", "CLERK_WEBHOOK_SIGNING_SECRET", "short", "DATABASE_URL", "postgres://u:p@h/d")
	var command struct {
		Database config.Database `embed:""`
		Log      config.Log      `embed:""`
	}
	loader := config.NewLoader(w.env())
	parser, err := kong.New(&command, loader.Options()...)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"--log-level=debug"})
	require.NoError(t, err)
	require.NoError(t, loader.Load(&command.Database, &command.Log))
	require.Equal(t, "postgres://u:p@h/d", command.Database.Address())
	require.Equal(t, "debug", command.Log.Level)
}

func TestServeNeedsATokenAndAProvider(t *testing.T) {
	t.Parallel()
	_, err := with().parse(nil, forServe)
	found := problems(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "POLAR_ACCESS_TOKEN is required; create an organization access token with the scope customers:write at Polar.", found[0])
	require.Contains(t, found[1], "No identity provider is enabled; set one of CLERK_WEBHOOK_SIGNING_SECRET, AUTH0_WEBHOOK_TOKEN, ")

	for _, p := range settings.New(provider.Options{Now: time.Now}).Providers {
		name, value := p.EnabledBy, goodToken
		for _, good := range []string{goodToken, goodKey, "https://issuer.example.com"} {
			if p.Scheme.CheckKey(good) == nil {
				value = good
				break
			}
		}
		_, err := with("POLAR_ACCESS_TOKEN", goodToken, "AUTH0_LOGS_UNCONFIRMED", "true", name, value).parse(nil, forServe)
		require.NoError(t, err, name)
	}
}

func TestABadProviderSecretIsNotAlsoCalledMissing(t *testing.T) {
	t.Parallel()
	_, err := with("POLAR_ACCESS_TOKEN", goodToken, "AUTH0_WEBHOOK_TOKEN", "short").parse(nil, forServe)
	require.Equal(t, []string{"AUTH0_WEBHOOK_TOKEN must be at least 16 characters long."}, problems(t, err))
}

func TestHelpNamesEveryVariable(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	c, loader := settings.New(provider.Options{}), config.NewLoader(with("POLAR_TIMEOUT", "marker-value").env())
	parser, err := kong.New(c.Config, append(loader.Options(), kong.Writers(&text, &text), kong.Exit(func(int) {}))...)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"--help"})
	require.NoError(t, err)
	help := strings.Join(strings.Fields(text.String()), " ") // it is wrapped
	for _, entry := range c.Summary() {
		if isSecret(entry.Name) {
			require.NotContains(t, help, entry.Name, "a secret has no flag")
			continue
		}
		require.Contains(t, help, "($"+entry.Name)
	}
	require.Contains(t, help, "($POLAR_TIMEOUT, by default 5s)")
	require.NotContains(t, help, "marker-value")
}

func isSecret(name string) bool {
	return slices.ContainsFunc(settings.New(provider.Options{}).SecretHelp(), func(e config.Entry) bool { return e.Name == name })
}

func TestAProblemShowsTheValueThatIsTooShortToBeASecret(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"loud":             `LOG_LEVEL must be debug, info, warn or error (it is "loud").`,
		"so-very-loud":     "LOG_LEVEL must be debug, info, warn or error.",
		"lo\nud":           "LOG_LEVEL must be debug, info, warn or error.",
		"l\u00e4ut":        "LOG_LEVEL must be debug, info, warn or error.",
		`"quotes"`:         `LOG_LEVEL must be debug, info, warn or error (it is "\"quotes\"").`,
		"11characters"[1:]: `LOG_LEVEL must be debug, info, warn or error (it is "1characters").`,
	} {
		_, err := with("LOG_LEVEL", value).parse(nil, everything)
		require.Equal(t, []string{want}, problems(t, err))
	}
	_, err := with("POLAR_ACCESS_TOKEN", "short").parse(nil, everything)
	require.NotContains(t, err.Error(), "(it is", "a secret's is never shown")
}
