package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/identity"
)

func TestSettingsOfProvidersWithATextKey(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	key := func(name string) *config.SecretSource { return config.Static(name, secret) }
	c := &config.Identity{
		WorkOS:   config.WorkOS{WebhookSecret: key("WORKOS_WEBHOOK_SECRET"), IDField: "id", DirectorySync: true},
		ZITADEL:  config.ZITADEL{WebhookSecret: key("ZITADEL_WEBHOOK_SECRET"), EventTypes: "user.removed,user.gone"},
		Logto:    config.Logto{WebhookSecret: key("LOGTO_WEBHOOK_SECRET")},
		Keycloak: config.Keycloak{WebhookSecret: key("KEYCLOAK_WEBHOOK_SECRET"), Realm: "shop"},
	}
	enabled := app.ProviderSettings(c, time.Now)
	require.Len(t, enabled, 4)
	for name, want := range map[string]identity.Settings{
		"workos":   {IDField: "id", DirectorySync: true},
		"zitadel":  {EventTypes: []string{"user.removed", "user.gone"}},
		"logto":    {},
		"keycloak": {Sources: []string{"shop"}},
	} {
		got := enabled[name]
		require.Equal(t, []string{secret}, got.Secrets(), name)
		require.NotNil(t, got.Now)
		got.Secrets, got.Now = nil, nil
		require.Equal(t, want, got, name)
	}
	providers, err := identity.New(enabled, nil)
	require.NoError(t, err)
	require.Len(t, providers, 4)
	require.Empty(t, app.ProviderSettings(&config.Identity{}, time.Now))
}
