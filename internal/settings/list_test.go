package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASettingWithIDs(t *testing.T) {
	t.Parallel()
	base := []string{"POLAR_ACCESS_TOKEN", goodToken, "OKTA_WEBHOOK_TOKEN", goodToken}
	t.Run("is a list", func(t *testing.T) {
		t.Parallel()
		c, err := with(append(base, "CLERK_INSTANCE_ID", "ins_A, ins_B", "AUTH0_STREAM_ID", "est_1,est_2", "KEYCLOAK_REALM", "shop,My Realm")...).parse(nil, forServe)
		require.NoError(t, err)
		require.Equal(t, []string{"ins_A", "ins_B"}, c.Providers.Clerk().Instances())
		require.Equal(t, []string{"est_1", "est_2"}, c.Providers.Auth0().Streams())
	})
	t.Run("names none when it is not set", func(t *testing.T) {
		t.Parallel()
		c, err := with(base...).parse(nil, forServe)
		require.NoError(t, err)
		require.Empty(t, c.Providers.Clerk().Instances())
		require.Empty(t, c.Providers.Auth0().Streams())
	})
	for name, values := range map[string][]string{
		"CLERK_INSTANCE_ID": {"ins_", "ins_A ins_B", "ins_A;ins_B", "ins_A,", ",", "A", "sk_live_abc", `"ins_A"`, "ins_A,est_B"},
		"AUTH0_STREAM_ID":   {"est_", "my-stream", "est_1 est_2", "ins_A", "est_1,,est_2"},
		"KEYCLOAK_REALM":    {"https://example.com/realms/shop", "shop/", "a,,b", "shop;other"},
	} {
		t.Run("stops the start when one is no id of the provider's: "+name, func(t *testing.T) {
			t.Parallel()
			for _, value := range values {
				_, err := with(append(base, name, value)...).parse(nil, forServe)
				require.ErrorContains(t, err, name, value)
				require.ErrorContains(t, err, "separated by commas", value)
			}
		})
	}
}
