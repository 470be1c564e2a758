package settings_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// advise returns what is advised in the environment, by the setting's name.
func advise(t *testing.T, e *environment) map[string]string {
	t.Helper()
	env := e.env()
	env.Names = func() []string { return slices.Collect(maps.Keys(e.vars)) }
	c, loader := settings.New(provider.Options{Now: time.Now}), config.NewLoader(env)
	require.NoError(t, loader.Parse(c.Config))
	require.NoError(t, loader.Load(c))
	all := map[string]string{}
	for _, advice := range c.Advise(loader) {
		require.NotEmpty(t, advice.Do)
		all[advice.Setting] = advice.Problem
	}
	return all
}

func TestAMisspeltSetting(t *testing.T) {
	t.Parallel()
	for name, meant := range map[string]string{
		"DRYRUN": "DRY_RUN", "DRY_RUNN": "DRY_RUN", "DRY-RUN": "DRY_RUN", "dry_run": "DRY_RUN", "DRY_RNU": "DRY_RUN", "DRY_RUN_": "DRY_RUN", "DRYRUNN": "DRY_RUN", "DRY__RUNN": "DRY_RUN", "CONFIRMED": "CONFIRM",
		"POLAR_ANONYMISE": "POLAR_ANONYMIZE", "POLAR_ANNONYMISE": "POLAR_ANONYMIZE", "POLAR_ACCES_TOKEN": "POLAR_ACCESS_TOKEN",
		"POLAR_ACCESS_TOKEN_FIL": "POLAR_ACCESS_TOKEN_FILE", "CLERK_WEBHOOK_SIGNING_SECRETS": "CLERK_WEBHOOK_SIGNING_SECRET",
		"GRACEPERIOD": "GRACE_PERIOD", "MAX_DELETION_PER_HOUR": "MAX_DELETIONS_PER_HOUR", "AUTH_ID_FIELD": "AUTH0_ID_FIELD", "DATABSE_URL": "DATABASE_URL",
		"CLERK_WEBHOOK_SECRET": "CLERK_WEBHOOK_SIGNING_SECRET", "MAX_DELETIONS_HOUR": "MAX_DELETIONS_PER_HOUR",
	} {
		t.Run(name+" is said to be nearly "+meant, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, map[string]string{name: "is no setting and is ignored, but it is nearly " + meant}, advise(t, with(name, "x")))
		})
	}
}

func TestNothingIsSaidOf(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(names(), []string{"PORT", "POLAR_ACCESS_TOKEN_FILE"}) {
		t.Run(name+", which is a setting", func(t *testing.T) {
			t.Parallel()
			require.Empty(t, advise(t, with(name, "")))
		})
	}
	t.Run("what Kubernetes injects for Services beside the pod", func(t *testing.T) {
		t.Parallel()
		w := with()
		for _, service := range []string{"polar", "polar-bridge", "polar-server", "log", "admin", "listen", "database", "confirm", "dry-run", "clerk-api", "auth0", "retention"} {
			prefix := strings.ToUpper(strings.ReplaceAll(service, "-", "_"))
			for _, suffix := range []string{
				"_SERVICE_HOST", "_SERVICE_PORT", "_SERVICE_PORT_HTTP", "_SERVICE_PORT_METRICS", "_PORT", "_PORT_8080_TCP", "_PORT_8080_TCP_PROTO", "_PORT_8080_TCP_PORT", "_PORT_8080_TCP_ADDR",
			} {
				w.vars[prefix+suffix] = "tcp://10.0.0.1:8080"
			}
		}
		require.Empty(t, advise(t, w))
	})
	t.Run("what apps and systems have", func(t *testing.T) {
		t.Parallel()
		w := with("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_bWFya2VyLW1hcmtlci1tYXJrZXI=") // else CLERK_WEBHOOK_SECRET is missed as it
		for _, name := range []string{
			"POLAR_WEBHOOK_SECRET", "POLAR_SUCCESS_URL", "POLAR_ORGANIZATION_ID", "BETTER_AUTH_SECRET", "BETTER_AUTH_URL", "CONFIG", "PATH", "HOME", "HOSTNAME", "TZ", "LANG", "PWD",
			"HTTPS_PROXY", "NO_PROXY", "DATABASE_HOST", "CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_WEBHOOK_SECRET", "CLERK_API_KEY", "CLERK_JWT_KEY", "AUTH0_SECRET",
			"AUTH0_BASE_URL", "AUTH0_AUDIENCE", "KINDE_CLIENT_ID", "KINDE_SITE_URL", "SUPABASE_URL", "SUPABASE_ANON_KEY", "WORKOS_API_KEY", "WORKOS_CLIENT_ID", "OKTA_DOMAIN", "OTEL_LOG_LEVEL",
			"KUBERNETES_SERVICE_HOST", "SSL_CERT_FILE", "GOMEMLIMIT", "GOMAXPROCS", "RAILWAY_SERVICE_NAME", "FLY_APP_NAME", "K_SERVICE", "RENDER",
		} {
			w.vars[name] = "x"
		}
		require.Empty(t, advise(t, w))
	})
}

func TestAFileForWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]string{"DRY_RUN_FILE": "is ignored: DRY_RUN is no secret, and only secrets come from files"}, advise(t, with("DRY_RUN_FILE", "/run/x")))
}

func TestQuotationMarksAroundAValue(t *testing.T) {
	t.Parallel()
	const want = "stands in quotation marks, which belong to the value here"
	for name, value := range map[string]string{
		"POLAR_ACCESS_TOKEN": `"` + goodToken + `"`, "AUTH0_WEBHOOK_TOKEN": `'` + goodToken + `'`, "EXTERNAL_ID_PATTERN": `"^user_"`, "AUTH0_CLIENT_ID": "",
		"WORKOS_WEBHOOK_SECRET": goodToken + ",'" + goodToken + "'",
	} {
		if value == "" {
			require.Empty(t, advise(t, with(name, value)))
			continue
		}
		require.Equal(t, map[string]string{name: want}, advise(t, with(name, value)))
	}
	w := with("POLAR_ACCESS_TOKEN_FILE", "/run/token")
	w.files["/run/token"] = `"` + goodToken + "\"\n"
	require.Equal(t, map[string]string{"POLAR_ACCESS_TOKEN": want}, advise(t, w))
}

func TestAKeyOfTheWrongKind(t *testing.T) {
	t.Parallel()
	for value, name := range map[string]string{
		"polar_whs_0123456789abcdef": "POLAR_ACCESS_TOKEN", "sk_test_polar0123456789abcdef": "POLAR_ACCESS_TOKEN", "pk_live_0123456789abcdef": "CLERK_SECRET_KEY",
		"sk_test_0123456789abcdef": "WORKOS_WEBHOOK_SECRET", "eyJhbGciOiJIUzI1NiJ9.e30.x": "SUPABASE_WEBHOOK_TOKEN", "sb_publishable_0123456789": "SUPABASE_WEBHOOK_TOKEN",
	} {
		got := advise(t, with(name, value))
		require.Len(t, got, 1)
		require.Contains(t, got, name)
		require.NotContains(t, got[name], "0123456789")
	}
	require.Empty(t, advise(t, with("POLAR_ACCESS_TOKEN", goodToken, "CLERK_SECRET_KEY", "sk_live_0123456789abcdef")))
}

func TestAPersonsTokenIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"polar_pat_0123456789abcdef", "polar_at_u_0123456789abcdef"} {
		_, err := with("POLAR_ACCESS_TOKEN", value).parse(nil, everything)
		require.Len(t, problems(t, err), 1)
		require.ErrorContains(t, err, "POLAR_ACCESS_TOKEN must be an organization access token, polar_oat_…")
		require.NotContains(t, err.Error(), "0123456789")
	}
}
