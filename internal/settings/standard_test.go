package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

func TestRulesOfStandardStytchOktaAndSupabase(t *testing.T) {
	t.Parallel()
	const (
		privateText = "STANDARD_WEBHOOK_SECRET must be the sender's public key, whpk_…, and never its private key, whsk_…."
		publicText  = "STANDARD_WEBHOOK_SECRET must hold 32 bytes in base64 after whpk_."
		typesText   = "STANDARD_EVENT_TYPES must be event types such as user.deleted, separated by commas."
		typeText    = "STANDARD_TYPE_FIELD must be a JSON pointer such as /type."
		idText      = "STANDARD_ID_FIELD must be a JSON pointer such as /data/id."
		overlapText = "STANDARD_ID_FIELD must not overlap with STANDARD_TYPE_FIELD."
	)
	checkRules(t, []rule{
		{"STANDARD_WEBHOOK_SECRET", goodKey, ""},
		{"STANDARD_WEBHOOK_SECRET", publicKey, ""},
		{"STANDARD_WEBHOOK_SECRET", goodKey + "," + publicKey, ""},
		{"STANDARD_WEBHOOK_SECRET", strings.TrimRight(publicKey, "="), ""},
		{"STANDARD_WEBHOOK_SECRET", "v1a," + publicKey + ",v1," + goodKey, ""},
		{"STANDARD_WEBHOOK_SECRET", "whsk_" + strings.TrimPrefix(publicKey, "whpk_"), privateText},
		{"STANDARD_WEBHOOK_SECRET", goodKey + ",whsk_", privateText},
		{"STANDARD_WEBHOOK_SECRET", "whpk_", publicText},
		{"STANDARD_WEBHOOK_SECRET", "whpk_AAAA", publicText},
		{"STANDARD_WEBHOOK_SECRET", publicKey[:40], publicText},
		{"STANDARD_WEBHOOK_SECRET", "whpk_" + strings.Repeat("A", 43) + "=", "STANDARD_WEBHOOK_SECRET must not be a placeholder: anybody can sign for this public key."},
		{"STANDARD_WEBHOOK_SECRET", "whsec_AAAA", "STANDARD_WEBHOOK_SECRET must hold a key of at least 16 bytes."},
		{"STANDARD_EVENT_TYPES", "user.deleted, member.gone", ""},
		{"STANDARD_EVENT_TYPES", "user.deleted,", typesText},
		{"STANDARD_EVENT_TYPES", "user.d\u00e9leted", typesText},
		{"STANDARD_TYPE_FIELD", "/event/type", ""},
		{"STANDARD_TYPE_FIELD", "type", typeText},
		{"STANDARD_TYPE_FIELD", "/", typeText},
		{"STANDARD_TYPE_FIELD", "/a~2", typeText},
		{"STANDARD_ID_FIELD", "/user/id", ""},
		{"STANDARD_ID_FIELD", "/typed", ""},
		{"STANDARD_ID_FIELD", "/data//id", idText},
		{"STANDARD_ID_FIELD", "data.id", idText},
		{"STANDARD_ID_FIELD", "/type", overlapText},
		{"STANDARD_ID_FIELD", "/type/id", overlapText},
		{"STANDARD_TYPE_FIELD", "/data/id/type", overlapText},
		{"STYTCH_WEBHOOK_SECRET", goodKey, ""},
		{"STYTCH_WEBHOOK_SECRET", publicKey, "STYTCH_WEBHOOK_SECRET must be base64, with or without whsec_ before it, as the provider's console shows it."},
		{"OKTA_WEBHOOK_TOKEN", "Bearer " + goodToken, ""},
		{"OKTA_WEBHOOK_TOKEN", "Bearer short", "OKTA_WEBHOOK_TOKEN must be at least 16 characters long, not counting the scheme's word (such as Basic) before it."},
		{"SUPABASE_WEBHOOK_TOKEN", goodToken, ""},
		{"SUPABASE_WEBHOOK_TOKEN", "Bearer " + goodToken, "SUPABASE_WEBHOOK_TOKEN must be the token alone, without the word Bearer."},
		{"SUPABASE_WEBHOOK_TOKEN", "short", "SUPABASE_WEBHOOK_TOKEN must be at least 16 characters long."},
	})
}

func TestEachOfTheseSecretsEnablesServe(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"STANDARD_WEBHOOK_SECRET": publicKey, "STYTCH_WEBHOOK_SECRET": goodKey,
		"OKTA_WEBHOOK_TOKEN": goodToken, "SUPABASE_WEBHOOK_TOKEN": goodToken,
	} {
		_, err := with("POLAR_ACCESS_TOKEN", goodToken, name, value).parse(nil, forServe)
		require.NoError(t, err)
	}
}
