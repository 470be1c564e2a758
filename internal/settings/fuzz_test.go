package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzLoad puts a marker beside arbitrary text into every variable, and files
// behind every secret: loading never panics, and no problem shows the marker.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "5s", "true", "sqlite:x.db", "postgres://u:p@h/d", "https://[::1]:4000", ":8080", "10.0.0.0/8,::1", "^user_(", `\p{Nope}`,
		"whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "/data/object/app_metadata/x", "a\nb,c", "\x00\xff", "%zz", "--polar-timeout", "999999999999999999999h",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, asFile bool) {
		const marker = "MARKER7391"
		for _, value := range []string{text, marker + text, text + marker, text + "://" + marker + ":" + marker + "@" + text} {
			w := with("PORT", value)
			for _, name := range names() {
				if asFile && isSecret(name) {
					w.vars[name+"_FILE"] = marker + name
					w.files[marker+name] = value
					continue
				}
				w.vars[name] = value
			}
			c, err := w.parse(nil, forServe)
			if err != nil {
				require.NotContains(t, strings.Join(problems(t, err), "\n"), marker)
				continue
			}
			require.True(t, c.Polar.AccessToken.IsSet())
		}
	})
}

// names lists every setting.
func names() []string {
	return strings.Fields(`POLAR_ACCESS_TOKEN POLAR_SERVER POLAR_BASE_URL POLAR_ANONYMIZE POLAR_RATE_LIMIT POLAR_CONCURRENCY POLAR_TIMEOUT
		CLERK_WEBHOOK_SIGNING_SECRET CLERK_ID_FIELD CLERK_INSTANCE_ID AUTH0_WEBHOOK_TOKEN AUTH0_ID_FIELD AUTH0_STREAM_ID AUTH0_LOGS_TOKEN
		AUTH0_LOGS_UNCONFIRMED STANDARD_WEBHOOK_SECRET STANDARD_EVENT_TYPES STANDARD_TYPE_FIELD STANDARD_ID_FIELD STYTCH_WEBHOOK_SECRET
		OKTA_WEBHOOK_TOKEN SUPABASE_WEBHOOK_TOKEN KINDE_ISSUER_URL FUSIONAUTH_WEBHOOK_KEY FUSIONAUTH_JWKS_URL CLERK_SECRET_KEY CLERK_API_URL AUTH0_DOMAIN AUTH0_CLIENT_ID AUTH0_CLIENT_SECRET CONFIRM EXTERNAL_ID_PATTERN RETENTION DRY_RUN DATABASE_URL AUTO_MIGRATE LISTEN_ADDR ADMIN_ADDR ADMIN_PASSWORD
		TRUSTED_PROXIES H2C SHUTDOWN_DELAY NOTIFY_URL LOG_LEVEL LOG_FORMAT LOG_EXTERNAL_ID`)
}
