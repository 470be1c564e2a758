package clerk_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/clerk"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func harness() providertest.Harness {
	set := signature.SvixHeaders()
	return providertest.Harness{
		Info:   clerk.About(),
		New:    func(s provider.Settings) (provider.Provider, error) { return clerk.New(s) },
		Sample: clerk.Sample,
		Secret: secret,
		Other:  other,
		Unusable: []string{
			"whsec_", "whsec_AAAAAAAAAAAAAAAAAAAA", "whsec_not-base64-marker!", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx", "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSy",
		},
		UnusableIDFields: []string{"ID", "data.id", "/data/id", "email"},
		Svix:             &set,
		IDMember:         "id",
		Body:             body(""),
		Ignored:          append(ignored(), otherInstances()...),
		Malformed:        malformed(),
		Golden:           []string{secret, other},
	}
}

func externalHarness() providertest.Harness {
	h := harness()
	h.IDField = "external_id"
	h.IDMember = "external_id"
	h.OptionalID = true
	h.Body = body(`,"id":"user_1"`)
	return h
}

func body(more string) func(string) []byte {
	return func(members string) []byte {
		if members != "" {
			members = "," + members
		}
		return []byte(`{"type":"user.deleted","data":{"object":"user","deleted":true` + more + members + `}}`)
	}
}

func ignored() []providertest.Case {
	cases := map[string]string{
		"another type":                    `{"type":"user.updated","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"another type with other data":    `{"type":"session.created","data":[1,2]}`,
		"type in other case":              `{"type":"User.Deleted","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"type with a blank":               `{"type":"user.deleted ","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"type under another name":         `{"Type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"no type":                         `{"data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"an organization":                 `{"type":"organization.deleted","data":{"object":"organization","id":"a","external_id":"a","deleted":true}}`,
		"an organization as a user event": `{"type":"user.deleted","data":{"object":"organization","id":"a","external_id":"a","deleted":true}}`,
		"not deleted":                     `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","deleted":false}}`,
		"deleted missing":                 `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a"}}`,
		"deleted under another name":      `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","Deleted":true}}`,
		"no data":                         `{"type":"user.deleted"}`,
		"empty object":                    `{}`,
	}
	return providertest.Cases(event.IgnoreOtherType, cases)
}

func otherInstances() []providertest.Case {
	cases := providertest.Cases(event.IgnoreOtherInstance, map[string]string{
		"another instance": `{"type":"user.deleted","instance_id":"ins_2","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
		"no instance":      `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","deleted":true}}`,
	})
	for i := range cases {
		cases[i].Source = "ins_1"
	}
	return cases
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":                `[]`,
		"string":               `"user.deleted"`,
		"null":                 `null`,
		"integer type":         `{"type":5}`,
		"data is an array":     `{"type":"user.deleted","data":[]}`,
		"data is a string":     `{"type":"user.deleted","data":"user"}`,
		"deleted is a string":  `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","deleted":"true"}}`,
		"deleted is a number":  `{"type":"user.deleted","data":{"object":"user","id":"a","external_id":"a","deleted":1}}`,
		"object is a number":   `{"type":"user.deleted","data":{"object":1,"id":"a","external_id":"a","deleted":true}}`,
		"instance is a number": `{"type":"user.deleted","instance_id":1,"data":{"object":"user","id":"a","deleted":true}}`,
	})
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, idField, body string) event.Deletion {
	t.Helper()
	p, err := clerk.New(provider.Settings{Secrets: func() []string { return []string{secret} }, IDField: idField})
	require.NoError(t, err)
	header, err := signature.SvixHeader(signature.SvixHeaders(), secret, "msg_1", time.Now(), []byte(body))
	require.NoError(t, err)
	return providertest.Only(t, p, header, []byte(body))
}
