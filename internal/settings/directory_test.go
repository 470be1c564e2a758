package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeletionsAreConfirmedWhereCredentialsAreSet(t *testing.T) {
	t.Parallel()
	credentials := []string{
		"POLAR_ACCESS_TOKEN", goodToken, "AUTH0_LOGS_TOKEN", goodToken, "CLERK_SECRET_KEY", goodToken,
		"AUTH0_DOMAIN", "example.eu.auth0.com", "AUTH0_CLIENT_ID", "id", "AUTH0_CLIENT_SECRET", goodToken,
	}
	c, err := with(credentials...).parse(nil, forServe)
	require.NoError(t, err, "Log Streams need no AUTH0_LOGS_UNCONFIRMED then")
	require.True(t, c.Directory.Confirm())
	require.Equal(t, "https://example.eu.auth0.com", c.Providers.Auth0().APIURL())

	_, err = with(append(credentials, "CONFIRM", "false")...).parse(nil, forServe)
	require.ErrorContains(t, err, "AUTH0_LOGS_TOKEN needs AUTH0_LOGS_UNCONFIRMED=true")
}
