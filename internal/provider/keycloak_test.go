package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestKeycloakWhichIDIsTaken(t *testing.T) {
	t.Parallel()
	const (
		admin = `"type":"admin.USER-DELETE","authDetails":{"userId":"actor"}`
		self  = `"type":"access.DELETE_ACCOUNT","resourceId":"b"`
	)
	tests := []struct{ name, members, want, unusable string }{
		{"an admin's deletion", admin + `,"resourceId":"a"`, "a", ""},
		{"details agree", admin + `,"resourceId":"a","details":{"userId":"a"}`, "a", ""},
		{"details disagree", admin + `,"resourceId":"a","details":{"userId":"b"}`, "", `"a"`},
		{"details have no id", admin + `,"resourceId":"a","details":{"username":"b"}`, "a", ""},
		{"details are null", admin + `,"resourceId":"a","details":null`, "a", ""},
		{"only in details", admin + `,"details":{"userId":"a"}`, "a", ""},
		{"null, but in details", admin + `,"resourceId":null,"details":{"userId":"a"}`, "a", ""},
		{"not usable, but in details", admin + `,"resourceId":"..","details":{"userId":"a"}`, "", `".."`},
		{"nowhere but the actor", admin, "", deletion.MissingID},
		{"a user's own deletion", self + `,"authDetails":{"userId":"a"},"details":{"userId":"c"}`, "a", ""},
		{"a user's own deletion without the user", self + `,"details":{"userId":"c"}`, "", deletion.MissingID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := keycloak(t).only(t, `{"uid":"u",`+tt.members+`}`)
			require.Equal(t, tt.want, d.ExternalID)
			require.Equal(t, tt.want, d.UserID)
			require.Equal(t, tt.unusable, d.UnusableID)
			require.Equal(t, "u", d.EventID)
		})
	}
}

// An admin who removes a part of a user causes an event of the same type.
func TestKeycloakWhatTheResourcePathIsAbout(t *testing.T) {
	t.Parallel()
	const deletion = `"uid":"u","type":"admin.USER-DELETE","resourceType":"USER","operationType":"DELETE","authDetails":{"userId":"actor"}`
	for name, members := range map[string]string{
		"a link to a sign-in provider":           `"resourcePath":"users/a/federated-identity/google","resourceId":"google","details":{}`,
		"a link, in versions without resourceId": `"resourcePath":"users/a/federated-identity/google","details":{}`,
		"a link that names the user in details":  `"resourcePath":"users/a/federated-identity/google","details":{"userId":"a"}`,
		"a link whose alias is the user's id":    `"resourcePath":"users/a/federated-identity/a","resourceId":"a"`,
		"a verifiable credential":                `"resourcePath":"users/a/vc/credentials/card","resourceId":"card"`,
		"a part with a slash around it":          `"resourcePath":"/users/a/consents/app/","resourceId":"app"`,
		"a part of a SCIM user":                  `"resourcePath":"scim/v2/Users/a/emails","resourceId":"emails"`,
		"a user who is called users":             `"resourcePath":"users/users/consents/app","resourceId":"app"`,
	} {
		t.Run(name+" is ignored", func(t *testing.T) {
			t.Parallel()
			require.Empty(t, keycloak(t).receive(t, `{`+deletion+`,`+members+`}`).Deletions)
		})
	}
	for name, members := range map[string]string{
		"a user":              `"resourcePath":"users/a","resourceId":"a"`,
		"a user between /":    `"resourcePath":"/users/a/","resourceId":"a"`,
		"a SCIM user":         `"resourcePath":"scim/v2/Users/a","resourceId":"a"`,
		"a user of no path":   `"resourceId":"a"`,
		"a user of null":      `"resourcePath":null,"resourceId":"a"`,
		"a user of no text":   `"resourcePath":"","resourceId":"a"`,
		"a user in details":   `"resourcePath":"users/a","details":{"userId":"a"}`,
		"a user called users": `"resourcePath":"users/users","resourceId":"users"`,
	} {
		t.Run(name+" is deleted", func(t *testing.T) {
			t.Parallel()
			require.Contains(t, []string{"a", "users"}, keycloak(t).only(t, `{`+deletion+`,`+members+`}`).ExternalID)
		})
	}
	for name, members := range map[string]string{
		"another user than resourceId": `"resourcePath":"users/b","resourceId":"a"`,
		"nothing that is known":        `"resourcePath":"organizations/o/members/a","resourceId":"a"`,
		"users of something else":      `"resourcePath":"blocked/users/a","resourceId":"a"`,
		"all users":                    `"resourcePath":"users","resourceId":"a"`,
		"a number":                     `"resourcePath":5,"resourceId":"a"`,
		"a user, without the id":       `"resourcePath":"users/a"`,
	} {
		t.Run(name+" is held", func(t *testing.T) {
			t.Parallel()
			d := keycloak(t).only(t, `{`+deletion+`,`+members+`}`)
			require.Empty(t, d.ExternalID)
			require.NotEmpty(t, d.UnusableID)
		})
	}
}

func TestKeycloakAnEventWithoutAUIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	for _, uid := range []string{`null`, `5`, `""`} {
		d := keycloak(t).only(t, `{"uid":`+uid+`,"id":"x","type":"admin.USER-DELETE","resourceId":"a","error":""}`)
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.EventID)
	}
}

func keycloak(t *testing.T) *sender {
	t.Helper()
	return enabled(t, "keycloak", "KEYCLOAK_WEBHOOK_SECRET", textKey)
}
