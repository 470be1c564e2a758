package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	t.Parallel()
	const (
		durationText   = " must be a duration with its unit, such as 500ms, 5s, 72h or 30d."
		addressText    = " must be HOST:PORT or :PORT with a port up to 65535."
		databaseText   = "DATABASE_URL must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME."
		httpsText      = "POLAR_BASE_URL must begin with https://; http:// is allowed on loopback only."
		clerkHTTPSText = "CLERK_API_URL must begin with https://; http:// is allowed on loopback only."
		absoluteText   = "POLAR_BASE_URL must be an absolute URL such as https://example.com."
		partsText      = "POLAR_BASE_URL must have no user, query or fragment."
		timeoutText    = "POLAR_TIMEOUT must be more than 0s and at most 12s."
		proxiesText    = "TRUSTED_PROXIES must be networks such as 10.0.0.0/8 or addresses, separated by commas."
		badMetadataKey = "POLAR_METADATA_KEY must have at most 40 characters and no brackets, not begin with __ or utm_, and not be reference_id: " +
			"the last two can be set by anybody in a checkout link."
		tokenText = "POLAR_ACCESS_TOKEN must consist of visible ASCII characters without spaces."
	)
	checkRules(t, []rule{
		{"POLAR_SERVER", "sandbox", ""},
		{"POLAR_SERVER", "staging", "POLAR_SERVER must be production or sandbox."},
		{"POLAR_BASE_URL", "https://polar.example.com/api", ""},
		{"POLAR_BASE_URL", "http://localhost:4000", ""},
		{"POLAR_BASE_URL", "http://127.8.9.1:4000", ""},
		{"POLAR_BASE_URL", "http://[::1]:4000", ""},
		{"POLAR_BASE_URL", "http://localhost.example.com", httpsText},
		{"POLAR_BASE_URL", "http://10.0.0.1", httpsText},
		{"POLAR_BASE_URL", "ftp://localhost", httpsText},
		{"POLAR_BASE_URL", "https:///path", absoluteText},
		{"POLAR_BASE_URL", "https://:443", absoluteText},
		{"POLAR_BASE_URL", "polar.example.com", absoluteText},
		{"POLAR_BASE_URL", "https://%zz", absoluteText},
		{"POLAR_BASE_URL", "https://user:pass@polar.example.com", partsText},
		{"POLAR_BASE_URL", "https://polar.example.com/?a=b", partsText},
		{"POLAR_BASE_URL", "https://polar.example.com/#a", partsText},
		{"POLAR_BASE_URL", "https://polar.example.com/#", partsText},
		{"CLERK_API_URL", "https://api.clerk.com", ""},
		{"CLERK_API_URL", "http://127.0.0.1:1", ""},
		{"CLERK_API_URL", "http://[::1]:1", ""},
		{"CLERK_API_URL", "http://localhost", ""},
		{"CLERK_API_URL", "http://api.clerk.com", clerkHTTPSText},
		{"CLERK_API_URL", "http://127.0.0.1.nip.io", clerkHTTPSText},
		{"CLERK_API_URL", "http://10.0.0.1", clerkHTTPSText},
		{"CLERK_API_URL", "ftp://localhost", clerkHTTPSText},
		{"CLERK_API_URL", "/v1", "CLERK_API_URL must be an absolute URL such as https://example.com."},
		{"POLAR_ANONYMIZE", "perhaps", "POLAR_ANONYMIZE must be true or false."},
		{"POLAR_RATE_LIMIT", "0", ""},
		{"POLAR_RATE_LIMIT", "-1", "POLAR_RATE_LIMIT must be 0 (unlimited) or more."},
		{"POLAR_RATE_LIMIT", "many", "POLAR_RATE_LIMIT must be a whole number."},
		{"POLAR_METADATA_KEY", "userId", ""},
		{"POLAR_METADATA_KEY", strings.Repeat("é", 40), ""},
		{"POLAR_METADATA_KEY", strings.Repeat("k", 41), badMetadataKey},
		{"POLAR_METADATA_KEY", "user[id", badMetadataKey},
		{"POLAR_METADATA_KEY", "user]id", badMetadataKey},
		{"POLAR_METADATA_KEY", "__external_id", badMetadataKey},
		{"POLAR_METADATA_KEY", "utm_source", badMetadataKey},
		{"POLAR_METADATA_KEY", "reference_id", badMetadataKey},
		{"POLAR_METADATA_KEY", "my_reference_id", ""},
		{"POLAR_CONCURRENCY", "1", ""},
		{"POLAR_CONCURRENCY", "100", ""},
		{"POLAR_CONCURRENCY", "0", "POLAR_CONCURRENCY must lie between 1 and 100."},
		{"POLAR_CONCURRENCY", "101", "POLAR_CONCURRENCY must lie between 1 and 100."},
		{"POLAR_TIMEOUT", "12s", ""},
		{"POLAR_TIMEOUT", "12001ms", timeoutText},
		{"POLAR_TIMEOUT", "0s", timeoutText},
		{"POLAR_TIMEOUT", "5", "POLAR_TIMEOUT" + durationText},
		{"LOOK_BEFORE_DELETE", "sometimes", "LOOK_BEFORE_DELETE must be true or false."},
		{"GUARDS_BLIND", "hold", ""},
		{"GUARDS_BLIND", "stop", "GUARDS_BLIND must be continue or hold."},
		{"MAX_DELETIONS_PER_HOUR", "0", ""},
		{"MAX_DELETIONS_PER_HOUR", "-1", "MAX_DELETIONS_PER_HOUR must be 0 (no limit) or more."},
		{"GRACE_PERIOD", "720h", ""},
		{"GRACE_PERIOD", "721h", "GRACE_PERIOD must lie between 0s and 720h."},
		{"GRACE_PERIOD", "-1s", "GRACE_PERIOD must lie between 0s and 720h."},
		{"VERIFY_AFTER", "72h", ""},
		{"VERIFY_AFTER", "73h", "VERIFY_AFTER must lie between 0s (never) and 72h."},
		{"VERIFY_AFTER", "-1s", "VERIFY_AFTER must lie between 0s (never) and 72h."},
		{"AUTH0_LOGS_TOKEN", goodToken, "AUTH0_LOGS_TOKEN needs AUTH0_LOGS_UNCONFIRMED=true, because these deletions are not confirmed at Auth0."},
		{"CONFIRM", "true", "CONFIRM needs credentials: set CLERK_SECRET_KEY, or AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, or AUTH_DATABASE_URL."},
		{"CONFIRM", "false", ""},
		{"AUTH_DATABASE_URL", "sqlite:auth.db", "AUTH_DATABASE_URL must be postgres://USER:PASSWORD@HOST/NAME."},
		{"AUTH_DATABASE_URL", "postgres://", "AUTH_DATABASE_URL must be postgres://USER:PASSWORD@HOST/NAME."},
		{"AUTH_DATABASE_URL", "postgres://host/name", "AUTH_DATABASE_SCHEMA must name the auth system, unless the table with its users is named."},
		{"AUTH_DATABASE_SCHEMA", "supabase", ""},
		{"AUTH_DATABASE_SCHEMA", "Supabase", "AUTH_DATABASE_SCHEMA must be one of better-auth, authjs, supabase, logto, keycloak, kratos, hanko."},
		{"AUTH_DATABASE_USERS", `auth."User".id::uuid`, ""},
		{"AUTH_DATABASE_USERS", "users.id", `AUTH_DATABASE_USERS must be SCHEMA.TABLE.COLUMN with SQL's quoting, such as public."user".id, of ids that are text; behind it ::uuid or ::bigint for others.`},
		{"AUTH_DATABASE_OUTBOX", "true", "AUTH_DATABASE_OUTBOX needs AUTH_DATABASE_URL."},
		{"RECONCILE_INTERVAL", "0s", ""},
		{"RECONCILE_INTERVAL", "59m", "RECONCILE_INTERVAL must be 0s (never), or lie between 1h and 720h."},
		{"EXTERNAL_ID_PATTERN", "^user_(", "EXTERNAL_ID_PATTERN must be a regular expression in RE2's syntax (missing closing ))."},
		{"RETENTION", "72h", ""},
		{"RETENTION", "71h59m", "RETENTION must lie between 72h and 3653d."},
		{"RETENTION", "3653d", ""},
		{"RETENTION", "3654d", "RETENTION must lie between 72h and 3653d."},
		{"RETENTION", "1.5d", "RETENTION" + durationText},
		{"RETENTION", "-30d", "RETENTION" + durationText},
		{"RETENTION", "99999999d", "RETENTION" + durationText},
		{"RETENTION", "30d", ""},
		{"DRY_RUN", "on", ""},
		{"DRY_RUN", "dry", "DRY_RUN must be true or false."},
		{"AUTO_MIGRATE", "no", ""},
		{"AUTO_MIGRATE", "", ""},
		{"LISTEN_ADDR", "[::1]:0", ""},
		{"LISTEN_ADDR", "8080", "LISTEN_ADDR" + addressText},
		{"LISTEN_ADDR", ":65536", "LISTEN_ADDR" + addressText},
		{"LISTEN_ADDR", ":http", "LISTEN_ADDR" + addressText},
		{"ADMIN_ADDR", "localhost", "ADMIN_ADDR" + addressText},
		{"ADMIN_ADDR", ":8080", "ADMIN_ADDR must have another port than LISTEN_ADDR."},
		{"ADMIN_ADDR", "127.0.0.1:8080", "ADMIN_ADDR must have another port than LISTEN_ADDR."},
		{"PORT", "http", "PORT must be a port number up to 65535."},
		{"TRUSTED_PROXIES", "10.0.0.0/33", proxiesText},
		{"TRUSTED_PROXIES", "fe80::1%eth0", proxiesText},
		{"SHUTDOWN_DELAY", "60s", ""},
		{"SHUTDOWN_DELAY", "-1s", "SHUTDOWN_DELAY must lie between 0s and 60s."},
		{"SHUTDOWN_DELAY", "61s", "SHUTDOWN_DELAY must lie between 0s and 60s."},
		{"LOG_LEVEL", "trace", "LOG_LEVEL must be debug, info, warn or error."},
		{"LOG_FORMAT", "gcp", ""},
		{"LOG_FORMAT", "text", "LOG_FORMAT must be json, gcp or console."},
		{"LOG_EXTERNAL_ID", "hash", "LOG_EXTERNAL_ID must be plain, digest or none."},

		{"DATABASE_URL", "sqlite:/var/lib/x.db", ""},
		{"DATABASE_URL", "postgresql://u@h/d", ""},
		{"DATABASE_URL", "postgres:///d?host=/run", ""},
		{"DATABASE_URL", "sqlite:", databaseText},
		{"DATABASE_URL", "x.db", databaseText},
		{"DATABASE_URL", "mysql://u@h/d", databaseText},
		{"DATABASE_URL", "postgres:u@h/d", databaseText},
		{"DATABASE_URL", "postgres://u:%zz@h/d", databaseText},
		{"POLAR_ACCESS_TOKEN", "0123456789abcdef\n", ""},
		{"POLAR_ACCESS_TOKEN", "0123456789abcde", "POLAR_ACCESS_TOKEN must be at least 16 characters long."},
		{"POLAR_ACCESS_TOKEN", "0123456789 abcdef", tokenText},
		{"POLAR_ACCESS_TOKEN", "0123456789äabcdef", tokenText},
		{"POLAR_ACCESS_TOKEN", "0123456789\x00abcdef", tokenText},
		{"POLAR_ACCESS_TOKEN", "Bearer 0123456789abcdef", "POLAR_ACCESS_TOKEN must be the token alone, without the word Bearer."},
		{"POLAR_ACCESS_TOKEN", goodToken + "\n" + goodToken, "POLAR_ACCESS_TOKEN must be one value on one line."},
		{"ADMIN_PASSWORD", "passwörd, 12", ""},
		{"ADMIN_PASSWORD", "passwörd 11", "ADMIN_PASSWORD must be at least 12 characters long."},
		{"NOTIFY_URL", "https://hooks.example.com/services/a?b=c", ""},
		{"NOTIFY_URL", "http://127.0.0.1:8080/x", ""},
		{"NOTIFY_URL", "http://hooks.example.com/x", "NOTIFY_URL must begin with https://; http:// is allowed on loopback only."},
		{"NOTIFY_URL", "https:///x", "NOTIFY_URL must be an absolute URL such as https://hooks.example.com/services/token."},
		{"ADMIN_PASSWORD", "tab\tin password", "ADMIN_PASSWORD must be valid UTF-8 without control characters."},
	})
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	w := with(
		"POLAR_ACCESS_TOKEN", "short", "POLAR_SERVER", "x", "POLAR_BASE_URL", "x", "POLAR_ANONYMIZE", "x", "POLAR_RATE_LIMIT", "x",
		"POLAR_CONCURRENCY", "x", "POLAR_TIMEOUT", "x", "CLERK_WEBHOOK_SIGNING_SECRET", "x", "CLERK_ID_FIELD", "x",
		"AUTH0_WEBHOOK_TOKEN", "x", "AUTH0_ID_FIELD", "x", "AUTH0_LOGS_TOKEN", "x", "AUTH0_LOGS_UNCONFIRMED", "x",
		"WORKOS_WEBHOOK_SECRET", "x", "WORKOS_ID_FIELD", "x", "WORKOS_DIRECTORY_SYNC", "x", "ZITADEL_WEBHOOK_SECRET", "x",
		"ZITADEL_EVENT_TYPES", "x", "LOGTO_WEBHOOK_SECRET", "x", "KEYCLOAK_WEBHOOK_SECRET", "x",
		"KINDE_ISSUER_URL", "x", "FUSIONAUTH_WEBHOOK_KEY", "x", "FUSIONAUTH_JWKS_URL", "x",
		"EXTERNAL_ID_PATTERN", "(", "DATABASE_URL", "x", "AUTO_MIGRATE", "x", "LISTEN_ADDR", "x", "ADMIN_ADDR", "x",
		"ADMIN_PASSWORD", "x", "TRUSTED_PROXIES", "x", "RETENTION", "x", "SHUTDOWN_DELAY", "x", "NOTIFY_URL", "x", "LOG_LEVEL", "x",
		"LOG_FORMAT", "x", "LOG_EXTERNAL_ID", "x", "DRY_RUN", "x",
	)
	_, err := w.parse(nil, forServe)
	got := problems(t, err)
	require.Len(t, got, len(w.vars))
	for name := range w.vars {
		require.Contains(t, "\n"+err.Error(), "\n"+name+" ")
	}
}
