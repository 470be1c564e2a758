package app_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/directory"
)

// A provider is only asked about ids of its form, and a customer counts as findable
// only with one: both must be the same.
func TestAProviderIsAskedAboutIDsOfTheFormThatIsCounted(t *testing.T) {
	t.Parallel()
	providers := everyProvider()
	providers.Auth0().IDField = "/data/object/user_id"
	clerk, auth0 := new(directory.Clerk).Source(), directory.NewAuth0(directory.Auth0Options{}).Source()
	ids := []string{
		"", "user_", "user_1", "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S", "user_1-2", "user_1\n", " user_1", "USER_1", "xuser_1", "org_", "org_1", "org_1/2", "42",
		"auth0|507f1f77bcf86cd799439020", "google-oauth2|1", "|1", "auth0|", "auth0|\n", "a b|1", "con.nection|1", "0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55",
	}
	for name, tt := range map[string]struct {
		provider, events string
		owns             func(id string) bool
	}{
		"Clerk's users":         {"clerk", "user.deleted", clerk.OwnsID},
		"Clerk's organizations": {"clerk", "organization.deleted", clerk.Organizations.OwnsID},
		"Auth0's users":         {"auth0", "", auth0.OwnsID},
		"those in Auth0's logs": {"auth0-logs", "", auth0.OwnsID},
	} {
		providers.Clerk().Events = tt.events
		spec, known := providers.Lookup(tt.provider)
		require.True(t, known, tt.provider)
		form := regexp.MustCompile(spec.IDForm())
		for _, id := range ids {
			require.Equal(t, form.MatchString(id), tt.owns(id), "%s: %q", name, id)
		}
	}
}
