package stytch_test

import (
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/stytch"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_plJ3nmyCDGBKInavdOK15jsl"
)

func TestStytch(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F) { providertest.Fuzz(f, harness()) }

func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

func TestSamplePassesTheOfficialVerifiers(t *testing.T) {
	t.Parallel()
	header, body, err := stytch.Sample(secret, provider.Sample{ExternalID: "user-1", EventID: "msg_1", Time: time.Now()})
	require.NoError(t, err)
	theirs, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, theirs.Verify(body, header))
	require.Error(t, theirs.Verify(append(body, ' '), header))
}

func TestDeliveriesOfOfficialSignersAreTaken(t *testing.T) {
	t.Parallel()
	p, err := stytch.New(provider.Settings{Secrets: func() []string { return []string{other, secret} }})
	require.NoError(t, err)
	bySvix, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	body := deletion(`"id":"user-1"`)
	for _, sign := range []func(string, time.Time, []byte) (string, error){bySvix.Sign, byStandard.Sign} {
		at := time.Now()
		signed, err := sign("msg_1", at, body)
		require.NoError(t, err)
		header, err := signature.SvixHeader(signature.SvixHeaders(), other, "msg_1", at, body)
		require.NoError(t, err)
		header.Set("Svix-Signature", signed)
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Equal(t, "user-1", d.Deletions[0].ExternalID)
		require.Equal(t, "msg_1", d.Deletions[0].EventID, "the signed id, and not the body's event_id")
	}
}

func harness() providertest.Harness {
	set := signature.SvixHeaders()
	return providertest.Harness{
		Info:   stytch.About(),
		New:    func(s provider.Settings) (provider.Provider, error) { return stytch.New(s) },
		Sample: stytch.Sample,
		Secret: secret,
		Other:  other,
		Unusable: []string{
			"whsec_", "whsec_AAAAAAAAAAAAAAAAAAAA", "whsec_not-base64-marker!", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSy",
		},
		Svix:      &set,
		IDMember:  "id",
		Body:      deletion,
		Ignored:   providertest.Cases(event.IgnoreOtherType, ignored()),
		Malformed: providertest.Cases(fault.ReasonBadType, malformed()),
		Golden:    []string{secret, other},
	}
}

func deletion(members string) []byte {
	if members != "" {
		members = "," + members
	}
	return []byte(`{"action":"DELETE","object_type":"user","source":"DIRECT","event_id":"e","project_id":"p","vertical":"CONSUMER"` + members + `}`)
}

func ignored() map[string]string {
	return map[string]string{
		"a user was created":           `{"action":"CREATE","object_type":"user","id":"a"}`,
		"a user was updated":           `{"action":"UPDATE","object_type":"user","id":"a","user":{"status":"deleted"}}`,
		"a member of an organization":  `{"action":"DELETE","object_type":"member","id":"a","vertical":"B2B"}`,
		"an organization":              `{"action":"DELETE","object_type":"organization","id":"a","vertical":"B2B"}`,
		"action in other case":         `{"action":"delete","object_type":"user","id":"a"}`,
		"object type in other case":    `{"action":"DELETE","object_type":"User","id":"a"}`,
		"action with a blank":          `{"action":"DELETE ","object_type":"user","id":"a"}`,
		"action under another name":    `{"Action":"DELETE","object_type":"user","id":"a"}`,
		"object type under other name": `{"action":"DELETE","objectType":"user","id":"a"}`,
		"no action":                    `{"object_type":"user","id":"a"}`,
		"no object type":               `{"action":"DELETE","id":"a"}`,
		"the type that others send":    `{"type":"user.deleted","id":"a","data":{"id":"a"}}`,
		"empty object":                 `{}`,
	}
}

func malformed() map[string]string {
	return map[string]string{
		"array":              `[]`,
		"string":             `"DELETE"`,
		"null":               `null`,
		"action is a number": `{"action":5,"object_type":"user","id":"a"}`,
		"object is an array": `{"action":"DELETE","object_type":["user"],"id":"a"}`,
	}
}
