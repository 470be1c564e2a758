package keycloak_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/keycloak"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The same texts stand in scripts/golden/own-hmac.mjs.
const (
	secret = "golden-secret-0123456789abcdef"
	other  = "other-secret-fedcba9876543210"
	header = "X-Keycloak-Signature"
)

func TestKeycloak(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestKeycloakWhenUsersDeleteThemselves(t *testing.T) {
	t.Parallel()
	providertest.Run(t, selfHarness())
}

func TestKeycloakOfOlderVersionsWithoutResourceID(t *testing.T) {
	t.Parallel()
	h := harness()
	h.IDMember = "userId"
	h.Body = func(members string) []byte {
		return []byte(`{"uid":"u","type":"admin.USER-DELETE","resourceType":"USER","details":{` + members + `},"authDetails":{"userId":"actor"}}`)
	}
	providertest.Run(t, h)
}

func TestKeycloakOfOneRealm(t *testing.T) {
	t.Parallel()
	h := harness()
	h.Source = "shop"
	providertest.Run(t, h)
}

// The requests are own computation in another language: the extension's signer
// is Java inside Keycloak.
func TestGoldenRequestsOfOwnComputationOnly(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)     { providertest.Fuzz(f, harness()) }
func FuzzReceiveSelf(f *testing.F) { providertest.Fuzz(f, selfHarness()) }
func FuzzUnsigned(f *testing.F)    { providertest.FuzzUnsigned(f, harness()) }

func TestWhichIDIsTaken(t *testing.T) {
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
		{"nowhere but the actor", admin, "", event.MissingID},
		{"a user's own deletion", self + `,"authDetails":{"userId":"a"},"details":{"userId":"c"}`, "a", ""},
		{"a user's own deletion without the user", self + `,"details":{"userId":"c"}`, "", event.MissingID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := receive(t, `{"uid":"u",`+tt.members+`}`)
			require.Equal(t, tt.want, d.ExternalID)
			require.Equal(t, tt.want, d.UserID)
			require.Equal(t, tt.unusable, d.UnusableID)
			require.Equal(t, "u", d.EventID)
		})
	}
}

// An admin who removes a part of a user causes an event of the same type.
func TestWhatTheResourcePathIsAbout(t *testing.T) {
	t.Parallel()
	const event = `"uid":"u","type":"admin.USER-DELETE","resourceType":"USER","operationType":"DELETE","authDetails":{"userId":"actor"}`
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
			require.Empty(t, deliver(t, `{`+event+`,`+members+`}`).Deletions)
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
			require.Contains(t, []string{"a", "users"}, receive(t, `{`+event+`,`+members+`}`).ExternalID)
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
			d := receive(t, `{`+event+`,`+members+`}`)
			require.Empty(t, d.ExternalID)
			require.NotEmpty(t, d.UnusableID)
		})
	}
}

func TestAnEventWithoutAUIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	for _, uid := range []string{`null`, `5`, `""`} {
		d := receive(t, `{"uid":`+uid+`,"id":"x","type":"admin.USER-DELETE","resourceId":"a","error":""}`)
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.EventID)
	}
}

func harness() providertest.Harness {
	return providertest.Harness{
		Info:     keycloak.About(),
		New:      func(s provider.Settings) (provider.Provider, error) { return keycloak.New(s) },
		Sample:   keycloak.Sample,
		Secret:   secret,
		Other:    other,
		Unusable: providertest.UnusableTextKeys(),
		Scheme: &providertest.Scheme{
			Headers: []string{header},
			Sign: func(secret string, _ time.Time, body []byte) (http.Header, error) {
				return signature.PlainHMACHeader(header, secret, body)
			},
			Same: strings.EqualFold,
		},
		IDMember: "resourceId",
		Body: func(members string) []byte {
			if members != "" {
				members = "," + members
			}
			return []byte(`{"uid":"u","type":"admin.USER-DELETE","time":1795435200000,"realmName":"shop","resourceType":"USER",` +
				`"operationType":"DELETE","authDetails":{"userId":"actor","realmId":"master"},"details":{},"error":null` + members + `}`)
		},
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret, other},
	}
}

func selfHarness() providertest.Harness {
	h := harness()
	h.IDMember = "userId"
	h.Body = func(members string) []byte {
		return []byte(`{"uid":"u","type":"access.DELETE_ACCOUNT","realmName":"shop","resourceId":"r","authDetails":{` + members + `},"details":{"userId":"d"}}`)
	}
	return h
}

func ignored() []providertest.Case {
	const ids = `"realmName":"shop","resourceId":"a","authDetails":{"userId":"a"},"details":{"userId":"a"}`
	bodies := map[string]string{
		"an admin's failure":           `{"type":"admin.USER-DELETE","error":"forbidden",` + ids + `}`,
		"a failure that is no text":    `{"type":"admin.USER-DELETE","error":{},` + ids + `}`,
		"a user's failure":             `{"type":"access.DELETE_ACCOUNT_ERROR",` + ids + `}`,
		"a user's failure by error":    `{"type":"access.DELETE_ACCOUNT","error":"user_delete_error",` + ids + `}`,
		"an admin's failure by name":   `{"type":"admin.USER-DELETE_ERROR",` + ids + `}`,
		"another resource":             `{"type":"admin.USER-DELETE","resourceType":"GROUP_MEMBERSHIP",` + ids + `}`,
		"another operation":            `{"type":"admin.USER-DELETE","operationType":"ACTION",` + ids + `}`,
		"type in another case":         `{"type":"admin.user-delete",` + ids + `}`,
		"no type, but what it is of":   `{"resourceType":"USER","operationType":"DELETE",` + ids + `}`,
		"Keycloak's own form of event": `{"type":"DELETE_ACCOUNT","userId":"a",` + ids + `}`,
	}
	for _, name := range []string{
		"access.LOGIN", "access.LOGOUT", "access.REGISTER", "access.UPDATE_PROFILE", "admin.USER-CREATE", "admin.USER-UPDATE",
		"admin.USER-ACTION", "admin.GROUP-DELETE", "admin.GROUP_MEMBERSHIP-DELETE", "admin.REALM_ROLE_MAPPING-DELETE", "admin.USER_SESSION-DELETE",
		"admin.REALM-DELETE", "system.USER-DELETE", "",
	} {
		bodies[name] = `{"type":"` + name + `",` + ids + `}`
	}
	cases := providertest.Cases(event.IgnoreOtherType, bodies)
	for name, realm := range map[string]string{"another realm": `"realmName":"master"`, "a realm in another case": `"realmName":"Shop"`, "no realm": `"realmId":"shop"`} {
		cases = append(cases, providertest.Case{
			Name: name, Body: `{"type":"admin.USER-DELETE","resourceId":"a",` + realm + `}`, Reason: string(event.IgnoreOtherInstance), Source: "shop",
		})
	}
	return cases
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":                 `[]`,
		"string":                `"admin.USER-DELETE"`,
		"null":                  `null`,
		"integer type":          `{"type":5}`,
		"integer realm":         `{"type":"admin.USER-DELETE","realmName":5}`,
		"integer resource type": `{"type":"admin.USER-DELETE","resourceType":5}`,
	})
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, body string) event.Deletion {
	t.Helper()
	d := deliver(t, body)
	require.Len(t, d.Deletions, 1)
	return d.Deletions[0]
}

// deliver returns what an authentic body says.
func deliver(t *testing.T, body string) event.Delivery {
	t.Helper()
	p, err := keycloak.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	h, err := signature.PlainHMACHeader(header, secret, []byte(body))
	require.NoError(t, err)
	d, err := p.Receive(h, []byte(body))
	require.NoError(t, err)
	return d
}
