package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const textKey = "a text key of 29 bytes, ünicode"

func TestRulesOfProvidersWithATextKey(t *testing.T) {
	t.Parallel()
	const (
		lengthText = "WORKOS_WEBHOOK_SECRET must hold a key of at least 16 bytes."
		printText  = "WORKOS_WEBHOOK_SECRET must consist of characters that print."
		typesText  = "ZITADEL_EVENT_TYPES must be names of user events such as user.removed, separated by commas."
	)
	checkRules(t, []rule{
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcdef", ""},
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcde", lengthText},
		{"WORKOS_WEBHOOK_SECRET", "äöüäöüäö", ""},
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcdef,0123", lengthText},
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcdef, fedcba9876543210\n", ""},
		{"WORKOS_WEBHOOK_SECRET", "0123456789\x00abcdef", printText},
		{"WORKOS_WEBHOOK_SECRET", "0123456789\tabcdef", printText},
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcdef\u200b", printText},
		{"WORKOS_WEBHOOK_SECRET", "\ufeff0123456789abcdef", printText},
		{"WORKOS_WEBHOOK_SECRET", "0123456789abcdef\xff", printText},
		{"WORKOS_ID_FIELD", "external_id", ""},
		{"WORKOS_ID_FIELD", "email", "WORKOS_ID_FIELD must be id or external_id."},
		{"WORKOS_DIRECTORY_SYNC", "true", ""},
		{"WORKOS_DIRECTORY_SYNC", "maybe", "WORKOS_DIRECTORY_SYNC must be true or false."},
		{"ZITADEL_WEBHOOK_SECRET", "short", "ZITADEL_WEBHOOK_SECRET must hold a key of at least 16 bytes."},
		{"ZITADEL_EVENT_TYPES", "", ""},
		{"ZITADEL_EVENT_TYPES", "user.removed, user.human.removed_v2", ""},
		{"ZITADEL_EVENT_TYPES", "user.removed,", typesText},
		{"ZITADEL_EVENT_TYPES", "user.*", typesText},
		{"ZITADEL_EVENT_TYPES", "user.", typesText},
		{"ZITADEL_EVENT_TYPES", "user", typesText},
		{"ZITADEL_EVENT_TYPES", "user.removed user.x", typesText},
		{"ZITADEL_EVENT_TYPES", "org.removed", typesText},
		{"LOGTO_WEBHOOK_SECRET", "short", "LOGTO_WEBHOOK_SECRET must hold a key of at least 16 bytes."},
		{"KEYCLOAK_WEBHOOK_SECRET", "short", "KEYCLOAK_WEBHOOK_SECRET must hold a key of at least 16 bytes."},
		{"KEYCLOAK_REALM", "my realm", ""},
	})
}

func TestDirectoryUsersHaveNoExternalID(t *testing.T) {
	t.Parallel()
	_, err := with("WORKOS_DIRECTORY_SYNC", "true", "WORKOS_ID_FIELD", "external_id").parse(nil, everything)
	require.Equal(t, []string{"WORKOS_DIRECTORY_SYNC needs WORKOS_ID_FIELD=id, because directory users have no external id."}, problems(t, err))
}

func TestATextKeyEnablesItsProvider(t *testing.T) {
	t.Parallel()
	for name, tooShort := range map[string]bool{
		// The comma makes two keys of it, of which the second is short.
		"WORKOS_WEBHOOK_SECRET": true, "ZITADEL_WEBHOOK_SECRET": true, "LOGTO_WEBHOOK_SECRET": true,
		// Operators choose these, commas and all.
		"KEYCLOAK_WEBHOOK_SECRET": false, "FUSIONAUTH_WEBHOOK_KEY": false,
	} {
		_, err := with("POLAR_ACCESS_TOKEN", goodToken, name, textKey).parse(nil, forServe)
		if tooShort {
			require.Equal(t, []string{name + " must hold a key of at least 16 bytes."}, problems(t, err))
		} else {
			require.NoError(t, err)
		}
		_, err = with("POLAR_ACCESS_TOKEN", goodToken, name, strings.ReplaceAll(textKey, ",", "")).parse(nil, forServe)
		require.NoError(t, err)
	}
}

func TestACommaBelongsToASecretThatOperatorsChoose(t *testing.T) {
	t.Parallel()
	const first, second = "w4Nw^Zl*zHCDX&&L7Q!16", "KkxA$0fiM9xS26Rabcd"
	for _, name := range []string{
		"OKTA_WEBHOOK_TOKEN", "AUTH0_WEBHOOK_TOKEN", "AUTH0_LOGS_TOKEN", "SUPABASE_WEBHOOK_TOKEN", "KEYCLOAK_WEBHOOK_SECRET", "FUSIONAUTH_WEBHOOK_KEY",
	} {
		for text, want := range map[string][]string{
			first + "," + second:       {first + "," + second},
			first + "\r\n" + second:    {first, second},
			first + ", \n\n " + second: {first + ",", second},
		} {
			c := load(t, with(name, text, "AUTH0_LOGS_UNCONFIRMED", "true"))
			require.Equal(t, want, secretOf(t, c, name).Values(), name)
		}
	}
}
