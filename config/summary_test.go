package config_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	w := with(
		"POLAR_ACCESS_TOKEN", "marker-0123456789", "CLERK_WEBHOOK_SIGNING_SECRET", "whsec_bWFya2VyLW1hcmtlci1tYXJrZXI=",
		"DATABASE_URL", "postgres://marker:marker@marker/marker", "ADMIN_PASSWORD", "marker-marker", "NOTIFY_URL", "https://marker/marker",
		"POLAR_ANONYMIZE", "false", "TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1", "EXTERNAL_ID_PATTERN", "^user_",
	)
	require.Equal(t, []config.Entry{
		{"POLAR_ACCESS_TOKEN", "set"},
		{"POLAR_SERVER", "production"},
		{"POLAR_BASE_URL", "not set"},
		{"POLAR_ANONYMIZE", "false"},
		{"POLAR_RATE_LIMIT", "60"},
		{"POLAR_CONCURRENCY", "4"},
		{"POLAR_TIMEOUT", "5s"},
		{"CLERK_WEBHOOK_SIGNING_SECRET", "set"},
		{"CLERK_ID_FIELD", "id"},
		{"CLERK_INSTANCE_ID", "not set"},
		{"AUTH0_WEBHOOK_TOKEN", "not set"},
		{"AUTH0_ID_FIELD", "/data/object/user_id"},
		{"AUTH0_STREAM_ID", "not set"},
		{"AUTH0_LOGS_TOKEN", "not set"},
		{"AUTH0_LOGS_UNCONFIRMED", "false"},
		{"WORKOS_WEBHOOK_SECRET", "not set"},
		{"WORKOS_ID_FIELD", "id"},
		{"WORKOS_DIRECTORY_SYNC", "false"},
		{"ZITADEL_WEBHOOK_SECRET", "not set"},
		{"ZITADEL_EVENT_TYPES", "user.removed"},
		{"LOGTO_WEBHOOK_SECRET", "not set"},
		{"KEYCLOAK_WEBHOOK_SECRET", "not set"},
		{"KEYCLOAK_REALM", "not set"},
		{"STANDARD_WEBHOOK_SECRET", "not set"},
		{"STANDARD_EVENT_TYPES", "user.deleted"},
		{"STANDARD_TYPE_FIELD", "/type"},
		{"STANDARD_ID_FIELD", "/data/id"},
		{"STYTCH_WEBHOOK_SECRET", "not set"},
		{"OKTA_WEBHOOK_TOKEN", "not set"},
		{"SUPABASE_WEBHOOK_TOKEN", "not set"},
		{"KINDE_ISSUER_URL", "not set"},
		{"FUSIONAUTH_WEBHOOK_KEY", "not set"},
		{"FUSIONAUTH_JWKS_URL", "not set"},
		{"CLERK_SECRET_KEY", "not set"},
		{"CLERK_API_URL", "https://api.clerk.com"},
		{"AUTH0_DOMAIN", "not set"},
		{"AUTH0_CLIENT_ID", "not set"},
		{"AUTH0_CLIENT_SECRET", "not set"},
		{"CONFIRM", "not set"},
		{"RECONCILE_INTERVAL", "0s"},
		{"EXTERNAL_ID_PATTERN", "^user_"},
		{"RETENTION", "720h0m0s"},
		{"DRY_RUN", "false"},
		{"LOOK_BEFORE_DELETE", "true"},
		{"HOLD_TEAM", "true"},
		{"HOLD_RECREATED", "true"},
		{"GUARDS_BLIND", "continue"},
		{"MAX_DELETIONS_PER_HOUR", "100"},
		{"GRACE_PERIOD", "0s"},
		{"VERIFY_AFTER", "1h0m0s"},
		{"DATABASE_URL", "set"},
		{"AUTO_MIGRATE", "true"},
		{"LISTEN_ADDR", ":8080"},
		{"ADMIN_ADDR", "127.0.0.1:9090"},
		{"ADMIN_PASSWORD", "set"},
		{"TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1/32"},
		{"H2C", "false"},
		{"SHUTDOWN_DELAY", "0s"},
		{"NOTIFY_URL", "set"},
		{"LOG_LEVEL", "info"},
		{"LOG_FORMAT", "json"},
		{"LOG_EXTERNAL_ID", "plain"},
	}, load(t, w).Summary())
}

func TestSummaryOfNothing(t *testing.T) {
	t.Parallel()
	c, err := config.Default()
	require.NoError(t, err)
	values := map[string]string{}
	for _, entry := range c.Summary() {
		values[entry.Name] = entry.Value
	}
	for _, name := range []string{"POLAR_ACCESS_TOKEN", "DATABASE_URL", "POLAR_ANONYMIZE", "EXTERNAL_ID_PATTERN", "TRUSTED_PROXIES"} {
		require.Equal(t, "not set", values[name], name)
	}
	require.Len(t, (&config.Config{}).Summary(), len(values), "also before anything is loaded")
}

// Every exported field is a setting, a secret, or says that it is neither.
func TestEveryFieldIsTagged(t *testing.T) {
	t.Parallel()
	requireTagged(t, reflect.TypeFor[config.Config]())
}

func requireTagged(t *testing.T, sections reflect.Type) {
	t.Helper()
	for section := range sections.Fields() {
		if section.Anonymous {
			requireTagged(t, section.Type)
			continue
		}
		for field := range section.Type.Fields() {
			if !field.IsExported() {
				continue
			}
			tag, name := field.Tag, section.Name+"."+field.Name
			if tag.Get("kong") == "-" {
				continue
			}
			require.Equal(t, "setting", tag.Get("type"), name)
			require.NotEmpty(t, tag.Get("env"), name)
			require.NotEmpty(t, tag.Get("help"), name)
			require.NotEmpty(t, tag.Get("name"), name)
		}
	}
}

func TestPrintingTheConfigShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := load(t, with("POLAR_ACCESS_TOKEN", "marker-0123456789", "DATABASE_URL", "sqlite:marker", "ADMIN_PASSWORD", "marker-marker"))
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		require.NotContains(t, fmt.Sprintf(verb, c), "marker")
		require.NotContains(t, fmt.Sprintf(verb, *c), "marker")
	}
}
