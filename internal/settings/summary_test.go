package settings_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	w := with(
		"POLAR_ACCESS_TOKEN", "marker-0123456789", "CLERK_WEBHOOK_SIGNING_SECRET", "whsec_bWFya2VyLW1hcmtlci1tYXJrZXI=",
		"DATABASE_URL", "postgres://marker:marker@marker/marker", "ADMIN_PASSWORD", "marker-marker", "NOTIFY_URL", "https://marker/marker",
		"POLAR_ANONYMIZE", "false", "TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1", "EXTERNAL_ID_PATTERN", "^user_",
	)
	c := load(t, w)
	others := map[string]bool{} // providers' besides Clerk and Auth0
	for _, p := range c.Providers {
		if p.Name == "clerk" || strings.HasPrefix(p.Name, "auth0") {
			continue
		}
		for _, entry := range (&config.Config{Providers: []any{p.Settings}}).Summary() {
			others[entry.Name] = true
		}
	}
	for _, entry := range (&config.Config{}).Summary() {
		delete(others, entry.Name)
	}
	require.NotEmpty(t, others)
	shown := slices.DeleteFunc(c.Summary(), func(e config.Entry) bool { return others[e.Name] })
	require.Equal(t, []config.Entry{
		{Name: "POLAR_ACCESS_TOKEN", Value: "set"},
		{Name: "POLAR_SERVER", Value: "production"},
		{Name: "POLAR_BASE_URL", Value: "not set"},
		{Name: "POLAR_ANONYMIZE", Value: "false"},
		{Name: "POLAR_RATE_LIMIT", Value: "60"},
		{Name: "POLAR_CONCURRENCY", Value: "4"},
		{Name: "POLAR_METADATA_KEY", Value: "not set"},
		{Name: "POLAR_TIMEOUT", Value: "5s"},
		{Name: "CLERK_WEBHOOK_SIGNING_SECRET", Value: "set"},
		{Name: "CLERK_ID_FIELD", Value: "id"},
		{Name: "CLERK_EVENTS", Value: "user.deleted"},
		{Name: "CLERK_INSTANCE_ID", Value: "not set"},
		{Name: "CLERK_SECRET_KEY", Value: "not set"},
		{Name: "CLERK_API_URL", Value: "https://api.clerk.com"},
		{Name: "AUTH0_WEBHOOK_TOKEN", Value: "not set"},
		{Name: "AUTH0_ID_FIELD", Value: "/data/object/user_id"},
		{Name: "AUTH0_STREAM_ID", Value: "not set"},
		{Name: "AUTH0_DOMAIN", Value: "not set"},
		{Name: "AUTH0_CLIENT_ID", Value: "not set"},
		{Name: "AUTH0_CLIENT_SECRET", Value: "not set"},
		{Name: "AUTH0_LOGS_TOKEN", Value: "not set"},
		{Name: "AUTH0_LOGS_UNCONFIRMED", Value: "false"},
		{Name: "WEBHOOK_GATEWAY", Value: "not set"},
		{Name: "WEBHOOK_GATEWAY_SECRET", Value: "not set"},
		{Name: "CONFIRM", Value: "not set"},
		{Name: "RECONCILE_INTERVAL", Value: "0s"},
		{Name: "AUTH_DATABASE_URL", Value: "not set"},
		{Name: "AUTH_DATABASE_SCHEMA", Value: "not set"},
		{Name: "AUTH_DATABASE_USERS", Value: "not set"},
		{Name: "AUTH_DATABASE_OUTBOX", Value: "false"},
		{Name: "EXTERNAL_ID_PATTERN", Value: "^user_"},
		{Name: "RETENTION", Value: "720h0m0s"},
		{Name: "DRY_RUN", Value: "false"},
		{Name: "LOOK_BEFORE_DELETE", Value: "true"},
		{Name: "RECORD_LOSS", Value: "false"},
		{Name: "HOLD_TEAM", Value: "true"},
		{Name: "HOLD_RECREATED", Value: "true"},
		{Name: "GUARDS_BLIND", Value: "continue"},
		{Name: "MAX_DELETIONS_PER_HOUR", Value: "100"},
		{Name: "GRACE_PERIOD", Value: "0s"},
		{Name: "VERIFY_AFTER", Value: "1h0m0s"},
		{Name: "DATABASE_URL", Value: "set"},
		{Name: "DATABASE_SCHEMA", Value: "polar_bridge"},
		{Name: "AUTO_MIGRATE", Value: "true"},
		{Name: "LISTEN_ADDR", Value: ":8080"},
		{Name: "ADMIN_ADDR", Value: "127.0.0.1:9090"},
		{Name: "ADMIN_PASSWORD", Value: "set"},
		{Name: "ADMIN_READ_ONLY", Value: "false"},
		{Name: "TRUSTED_PROXIES", Value: "10.0.0.0/8,192.0.2.1/32"},
		{Name: "H2C", Value: "false"},
		{Name: "SHUTDOWN_DELAY", Value: "0s"},
		{Name: "NOTIFY_URL", Value: "set"},
		{Name: "LOG_LEVEL", Value: "info"},
		{Name: "LOG_FORMAT", Value: "json"},
		{Name: "LOG_EXTERNAL_ID", Value: "plain"},
	}, shown)
}

func TestSummaryOfNothing(t *testing.T) {
	t.Parallel()
	c := load(t, with())
	values := map[string]string{}
	for _, entry := range c.Summary() {
		values[entry.Name] = entry.Value
	}
	for _, name := range []string{"POLAR_ACCESS_TOKEN", "DATABASE_URL", "POLAR_ANONYMIZE", "EXTERNAL_ID_PATTERN", "TRUSTED_PROXIES"} {
		require.Equal(t, "not set", values[name], name)
	}
	require.Len(t, settings.New(provider.Options{}).Summary(), len(values), "also before anything is loaded")
}

// Every exported field is a setting, a secret, or says that it is neither.
func TestEveryFieldIsTagged(t *testing.T) {
	t.Parallel()
	requireTagged(t, reflect.TypeFor[config.Config]())
}

func requireTagged(t *testing.T, sections reflect.Type) {
	t.Helper()
	for section := range sections.Fields() {
		if section.Name == "Providers" { // package provider looks at its own
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
		require.NotContains(t, fmt.Sprintf(verb, c.Config), "marker")
		require.NotContains(t, fmt.Sprintf(verb, *c.Config), "marker")
	}
}
