package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFormOfExternalIDs(t *testing.T) {
	t.Parallel()
	const uuid = "0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55"
	for name, tt := range map[string]struct {
		pairs         []string
		present, none []string
		of            string
		any           bool
	}{
		"is that of the enabled providers": {
			[]string{"CLERK_WEBHOOK_SIGNING_SECRET", goodKey, "AUTH0_WEBHOOK_TOKEN", goodToken},
			[]string{"user_2g7np7Hrk0SN6kj5EDMLDaKNL0S", "auth0|507f1f77bcf86cd799439020"},
			[]string{"org_1", uuid, "42", "a@example.com"},
			"clerk, auth0", false,
		},
		"is that of organizations where they are billed": {
			[]string{"CLERK_WEBHOOK_SIGNING_SECRET", goodKey, "CLERK_EVENTS", "organization.deleted"},
			[]string{"org_2g7np7Hrk0SN6kj5EDMLDaKNL0S"},
			[]string{"user_1"},
			"clerk", false,
		},
		"may be any where the shop gives ids of its own": {
			[]string{"CLERK_WEBHOOK_SIGNING_SECRET", goodKey, "CLERK_ID_FIELD", "external_id"}, []string{"42", uuid}, nil, "clerk", true,
		},
		"is the pattern's where there is one": {
			[]string{"CLERK_WEBHOOK_SIGNING_SECRET", goodKey, "EXTERNAL_ID_PATTERN", "^[0-9]+$"}, []string{"42"}, []string{"user_1"}, "EXTERNAL_ID_PATTERN", false,
		},
		"is that of the auth system's table": {
			[]string{"AUTH_DATABASE_URL", "postgres://a:b@127.0.0.1/c", "AUTH_DATABASE_SCHEMA", "supabase", "AUTH_DATABASE_OUTBOX", "true"},
			[]string{uuid},
			[]string{"user_1"},
			"supabase", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := with(append([]string{"POLAR_ACCESS_TOKEN", goodToken}, tt.pairs...)...).parse(nil, forServe)
			require.NoError(t, err)
			form := c.IDForm()
			require.Equal(t, tt.of, form.Of)
			require.Equal(t, tt.any, form.Any)
			for _, id := range tt.present {
				require.True(t, form.Matches(id), id)
			}
			for _, id := range tt.none {
				require.False(t, form.Matches(id), id)
			}
		})
	}
}
